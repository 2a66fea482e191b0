func.func @reduce_precision_forms() {
  %x = stablehlo.constant dense<[1.0009765625, 65520.0, 1.0e-30, -3.0, 0x7FC00000, 0xFF800000]> : tensor<6xf32>
  %r = stablehlo.reduce_precision %x, format = e5m9 : tensor<6xf32>
  check.expect_eq_const %r, dense<[1.0, 0x7F800000, 0.0, -3.0, 0x7FC00000, 0xFF800000]> : tensor<6xf32>
  %s = "stablehlo.reduce_precision"(%x) <{exponent_bits = 8 : i32, mantissa_bits = 23 : i32}> : (tensor<6xf32>) -> tensor<6xf32>
  check.expect_eq %s, %x : tensor<6xf32>
  return
}
// -----
func.func @bits_of_bools() {
  %x = stablehlo.constant dense<[5, 128]> : tensor<2xui8>
  %b = stablehlo.bitcast_convert %x : (tensor<2xui8>) -> tensor<2x8xi1>
  check.expect_eq_const %b, dense<[[true, false, true, false, false, false, false, false], [false, false, false, false, false, false, false, true]]> : tensor<2x8xi1>
  %y = stablehlo.bitcast_convert %b : (tensor<2x8xi1>) -> tensor<2xi8>
  check.expect_eq_const %y, dense<[5, -128]> : tensor<2xi8>
  return
}
// -----
func.func @high_products() {
  %a = stablehlo.constant dense<[-9223372036854775808, 4611686018427387904, -1]> : tensor<3xi64>
  %b = stablehlo.constant dense<[-9223372036854775808, 6, -1]> : tensor<3xi64>
  %r = "chlo.mulhi"(%a, %b) : (tensor<3xi64>, tensor<3xi64>) -> tensor<3xi64>
  check.expect_eq_const %r, dense<[4611686018427387904, 1, 0]> : tensor<3xi64>
  %c = stablehlo.constant dense<[18446744073709551615, 4294967296]> : tensor<2xui64>
  %s = "chlo.mulhi"(%c, %c) : (tensor<2xui64>, tensor<2xui64>) -> tensor<2xui64>
  check.expect_eq_const %s, dense<[18446744073709551614, 1]> : tensor<2xui64>
  %d = stablehlo.constant dense<[-128, 127]> : tensor<2xi8>
  %t = "chlo.mulhi"(%d, %d) : (tensor<2xi8>, tensor<2xi8>) -> tensor<2xi8>
  check.expect_eq_const %t, dense<[64, 63]> : tensor<2xi8>
  return
}
// -----
func.func @next_after_all_ways() {
  %x = stablehlo.constant dense<[0.0, -0.0, 1.0, 1.0, -1.0, 0x7F7FFFFF, 0x00000001, 2.0]> : tensor<8xf32>
  %y = stablehlo.constant dense<[1.0, -1.0, 2.0, 0.0, 0.0, 0x7F800000, -1.0, 2.0]> : tensor<8xf32>
  %r = chlo.next_after %x, %y : tensor<8xf32>, tensor<8xf32> -> tensor<8xf32>
  check.expect_eq_const %r, dense<[0x00000001, 0x80000001, 0x3F800001, 0x3F7FFFFF, 0xBF7FFFFF, 0x7F800000, 0.0, 2.0]> : tensor<8xf32>
  return
}
// -----
func.func @total_order() {
  %x = stablehlo.constant dense<[-0.0, 0x7FC00000, 1.0]> : tensor<3xf32>
  %y = stablehlo.constant dense<[0.0, 0x7F800000, 1.0]> : tensor<3xf32>
  %l = stablehlo.compare LT, %x, %y, TOTALORDER : (tensor<3xf32>, tensor<3xf32>) -> tensor<3xi1>
  check.expect_eq_const %l, dense<[true, false, false]> : tensor<3xi1>
  return
}
// -----
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
// -----
func.func @broadcasting_forms() {
  %x = stablehlo.constant dense<[[1, 2, 3], [4, 5, 6]]> : tensor<2x3xi32>
  %y = stablehlo.constant dense<[10, 20]> : tensor<2xi32>
  %z = stablehlo.constant dense<5> : tensor<i32>
  %r = chlo.broadcast_add %x, %y {broadcast_dimensions = array<i64: 0>} : (tensor<2x3xi32>, tensor<2xi32>) -> tensor<2x3xi32>
  check.expect_eq_const %r, dense<[[11, 12, 13], [24, 25, 26]]> : tensor<2x3xi32>
  %c = chlo.broadcast_compare %x, %z {comparison_direction = #chlo<comparison_direction GT>} : (tensor<2x3xi32>, tensor<i32>) -> tensor<2x3xi1>
  check.expect_eq_const %c, dense<[[false, false, false], [false, false, true]]> : tensor<2x3xi1>
  %s = chlo.broadcast_select %c, %x, %z : (tensor<2x3xi1>, tensor<2x3xi32>, tensor<i32>) -> tensor<2x3xi32>
  check.expect_eq_const %s, dense<[[5, 5, 5], [5, 5, 6]]> : tensor<2x3xi32>
  %l = "chlo.constant_like"(%x) <{value = 7 : i32}> : (tensor<2x3xi32>) -> tensor<2x3xi32>
  check.expect_eq_const %l, dense<7> : tensor<2x3xi32>
  return
}
