// test import checks
func.func @next_after_all_ways() {
  %x = stablehlo.constant dense<[0.0, -0.0, 1.0, 1.0, -1.0, 0x7F7FFFFF, 0x00000001, 2.0]> : tensor<8xf32>
  %y = stablehlo.constant dense<[1.0, -1.0, 2.0, 0.0, 0.0, 0x7F800000, -1.0, 2.0]> : tensor<8xf32>
  %r = chlo.next_after %x, %y : tensor<8xf32>, tensor<8xf32> -> tensor<8xf32>
  check.expect_eq_const %r, dense<[0x00000001, 0x80000001, 0x3F800001, 0x3F7FFFFF, 0xBF7FFFFF, 0x7F800000, 0.0, 2.0]> : tensor<8xf32>
  return
}

// 1 checks hold
