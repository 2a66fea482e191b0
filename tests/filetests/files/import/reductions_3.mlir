// test import checks
func.func @associative_but_not_commutative() {
  // The last element that is not zero, over both dimensions in row-major order.
  %x = stablehlo.constant dense<[[1, 0, 3], [4, 0, 0]]> : tensor<2x3xi32>
  %z = stablehlo.constant dense<0> : tensor<i32>
  %r = "stablehlo.reduce"(%x, %z) <{dimensions = array<i64: 0, 1>}> ({
  ^bb0(%a: tensor<i32>, %b: tensor<i32>):
    %none = stablehlo.constant dense<0> : tensor<i32>
    %is = stablehlo.compare NE, %b, %none : (tensor<i32>, tensor<i32>) -> tensor<i1>
    %s = stablehlo.select %is, %b, %a : tensor<i1>, tensor<i32>
    stablehlo.return %s : tensor<i32>
  }) : (tensor<2x3xi32>, tensor<i32>) -> tensor<i32>
  check.expect_eq_const %r, dense<4> : tensor<i32>
  return
}

// 1 checks hold
