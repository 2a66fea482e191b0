// test import checks
func.func @nothing_to_reduce() {
  %x = stablehlo.constant dense<> : tensor<0x2xi32>
  %z = stablehlo.constant dense<5> : tensor<i32>
  %r = "stablehlo.reduce"(%x, %z) <{dimensions = array<i64: 0>}> ({
  ^bb0(%a: tensor<i32>, %b: tensor<i32>):
    %two = stablehlo.constant dense<2> : tensor<i32>
    %s = stablehlo.add %a, %b : tensor<i32>
    %t = stablehlo.maximum %s, %two : tensor<i32>
    stablehlo.return %t : tensor<i32>
  }) : (tensor<0x2xi32>, tensor<i32>) -> tensor<2xi32>
  check.expect_eq_const %r, dense<[5, 5]> : tensor<2xi32>
  return
}

// 1 checks hold
