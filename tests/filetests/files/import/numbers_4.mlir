// test import checks
func.func @total_order() {
  %x = stablehlo.constant dense<[-0.0, 0x7FC00000, 1.0]> : tensor<3xf32>
  %y = stablehlo.constant dense<[0.0, 0x7F800000, 1.0]> : tensor<3xf32>
  %l = stablehlo.compare LT, %x, %y, TOTALORDER : (tensor<3xf32>, tensor<3xf32>) -> tensor<3xi1>
  check.expect_eq_const %l, dense<[true, false, false]> : tensor<3xi1>
  return
}

// 1 checks hold
