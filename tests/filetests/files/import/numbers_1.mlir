// test import checks
func.func @bits_of_bools() {
  %x = stablehlo.constant dense<[5, 128]> : tensor<2xui8>
  %b = stablehlo.bitcast_convert %x : (tensor<2xui8>) -> tensor<2x8xi1>
  check.expect_eq_const %b, dense<[[true, false, true, false, false, false, false, false], [false, false, false, false, false, false, false, true]]> : tensor<2x8xi1>
  %y = stablehlo.bitcast_convert %b : (tensor<2x8xi1>) -> tensor<2xi8>
  check.expect_eq_const %y, dense<[5, -128]> : tensor<2xi8>
  return
}

// 2 checks hold
