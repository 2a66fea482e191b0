// test import checks
func.func @reduce_precision_forms() {
  %x = stablehlo.constant dense<[1.0009765625, 65520.0, 1.0e-30, -3.0, 0x7FC00000, 0xFF800000]> : tensor<6xf32>
  %r = stablehlo.reduce_precision %x, format = e5m9 : tensor<6xf32>
  check.expect_eq_const %r, dense<[1.0, 0x7F800000, 0.0, -3.0, 0x7FC00000, 0xFF800000]> : tensor<6xf32>
  %s = "stablehlo.reduce_precision"(%x) <{exponent_bits = 8 : i32, mantissa_bits = 23 : i32}> : (tensor<6xf32>) -> tensor<6xf32>
  check.expect_eq %s, %x : tensor<6xf32>
  return
}

// 2 checks hold
