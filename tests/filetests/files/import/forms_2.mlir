// test import checks
func.func @almost() {
  %x = stablehlo.constant dense<5.0> : tensor<f64>
  check.expect_almost_eq_const %x, dense<5.1> : tensor<f64> {tolerance = 0.2 : f64}
  %i = stablehlo.constant dense<[0x7F800000, 0xFF800000, 0x7FC00000]> : tensor<3xf32>
  check.expect_almost_eq_const %i, dense<[0x7F800000, 0xFF800000, 0x7FC00001]> : tensor<3xf32>
  return
}

// 2 checks hold
