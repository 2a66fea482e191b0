// test import checks
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

// 3 checks hold
