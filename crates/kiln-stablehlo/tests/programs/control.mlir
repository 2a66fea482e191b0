func.func @while_pretty() {
  %z = stablehlo.constant dense<0> : tensor<i32>
  %one = stablehlo.constant dense<1> : tensor<i32>
  %r:2 = stablehlo.while(%i = %z, %s = %one) : tensor<i32>, tensor<i32>
   cond {
    %n = stablehlo.constant dense<5> : tensor<i32>
    %c = stablehlo.compare LT, %i, %n, SIGNED : (tensor<i32>, tensor<i32>) -> tensor<i1>
    stablehlo.return %c : tensor<i1>
  } do {
    %j = stablehlo.add %i, %one : tensor<i32>
    %t = stablehlo.add %s, %s : tensor<i32>
    stablehlo.return %j, %t : tensor<i32>, tensor<i32>
  }
  check.expect_eq_const %r#1, dense<32> : tensor<i32>
  return
}
// -----
func.func @branches() {
  %x = stablehlo.constant dense<[1, 2]> : tensor<2xi32>
  %t = stablehlo.constant dense<true> : tensor<i1>
  %r = "stablehlo.if"(%t) ({
    %a = stablehlo.negate %x : tensor<2xi32>
    stablehlo.return %a : tensor<2xi32>
  }, {
    stablehlo.return %x : tensor<2xi32>
  }) : (tensor<i1>) -> tensor<2xi32>
  check.expect_eq_const %r, dense<[-1, -2]> : tensor<2xi32>
  %k = stablehlo.constant dense<7> : tensor<i32>
  %s = "stablehlo.case"(%k) ({
    stablehlo.return %x : tensor<2xi32>
  }, {
    %a = stablehlo.add %x, %x : tensor<2xi32>
    stablehlo.return %a : tensor<2xi32>
  }) : (tensor<i32>) -> tensor<2xi32>
  check.expect_eq_const %s, dense<[2, 4]> : tensor<2xi32>
  return
}
// -----
func.func @scan_forwards_and_backwards() {
  %x = stablehlo.constant dense<[[1, 2, 3], [4, 5, 6]]> : tensor<2x3xi32>
  %z = stablehlo.constant dense<0> : tensor<2xi32>
  %r:2 = chlo.scan(%x) inits(%z) dimension=1 attributes {is_reverse = true} {
  ^bb0(%a: tensor<2xi32>, %c: tensor<2xi32>):
    %s = stablehlo.add %a, %c : tensor<2xi32>
    stablehlo.return %s, %s : tensor<2xi32>, tensor<2xi32>
  } : (tensor<2x3xi32>, tensor<2xi32>) -> (tensor<2x3xi32>, tensor<2xi32>)
  check.expect_eq_const %r#0, dense<[[6, 5, 3], [15, 11, 6]]> : tensor<2x3xi32>
  check.expect_eq_const %r#1, dense<[6, 15]> : tensor<2xi32>
  return
}
// -----
module @m attributes {mhlo.num_partitions = 1 : i32} {
  func.func public @main() -> (tensor<2xi32> {jax.result_info = "out"}) {
    %x = stablehlo.constant dense<[1, 2]> : tensor<2xi32> loc("x")
    %e = stablehlo.constant dense<[4, 8]> : tensor<2xi32> loc(#loc1)
    %0:2 = call @pair(%x) : (tensor<2xi32>) -> (tensor<2xi32>, tensor<2xi32>)
    %1 = stablehlo.composite "my.add" %0#0, %0#1 {decomposition = @sum, version = 1 : i32} : (tensor<2xi32>, tensor<2xi32>) -> tensor<2xi32>
    %t = stablehlo.tuple %1, %x : tuple<tensor<2xi32>, tensor<2xi32>>
    %u = stablehlo.get_tuple_element %t[0] : (tuple<tensor<2xi32>, tensor<2xi32>>) -> tensor<2xi32>
    stablehlo.custom_call @check.expect_eq(%u, %e) {has_side_effect = true} : (tensor<2xi32>, tensor<2xi32>) -> ()
    return %u : tensor<2xi32>
  }
  func.func private @pair(%a: tensor<2xi32> loc("a")) -> (tensor<2xi32>, tensor<2xi32>) {
    %b = stablehlo.add %a, %a : tensor<2xi32>
    return %b, %b : tensor<2xi32>, tensor<2xi32>
  }
  func.func private @sum(%a: tensor<2xi32>, %b: tensor<2xi32>) -> tensor<2xi32> {
    %c = stablehlo.add %a, %b : tensor<2xi32>
    return %c : tensor<2xi32>
  }
}
#loc = loc(unknown)
#loc1 = loc("file.py":3:7)
#loc2 = loc(callsite(#loc1 at #loc))
