// test import checks
func.func @infinities() {
  %x = stablehlo.constant dense<[0x7F800000, 0xFF800000, 0x7FC00000, 1.0]> : tensor<4xf32>
  %a = chlo.is_inf %x : tensor<4xf32> -> tensor<4xi1>
  %b = chlo.is_pos_inf %x : tensor<4xf32> -> tensor<4xi1>
  %c = chlo.is_neg_inf %x : tensor<4xf32> -> tensor<4xi1>
  check.expect_eq_const %a, dense<[true, true, false, false]> : tensor<4xi1>
  check.expect_eq_const %b, dense<[true, false, false, false]> : tensor<4xi1>
  check.expect_eq_const %c, dense<[false, true, false, false]> : tensor<4xi1>
  return
}

// 3 checks hold
