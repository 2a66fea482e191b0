// test import checks
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

// 1 checks hold
