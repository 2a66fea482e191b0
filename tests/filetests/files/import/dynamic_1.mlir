// test import checks
func.func @dynamic_forms() {
  %x = stablehlo.constant dense<[1, 2, 3]> : tensor<3xi32>
  %shape = stablehlo.constant dense<[2, 3]> : tensor<2xi64>
  %b = stablehlo.dynamic_broadcast_in_dim %x, %shape, dims = [1] : (tensor<3xi32>, tensor<2xi64>) -> tensor<2x3xi32>
  check.expect_eq_const %b, dense<[[1, 2, 3], [1, 2, 3]]> : tensor<2x3xi32>
  %i = stablehlo.dynamic_iota %shape, dim = 0 : (tensor<2xi64>) -> tensor<2x3xi64>
  check.expect_eq_const %i, dense<[[0, 0, 0], [1, 1, 1]]> : tensor<2x3xi64>
  %one = stablehlo.constant dense<[1]> : tensor<1xi64>
  %three = stablehlo.constant dense<[3]> : tensor<1xi64>
  %s = stablehlo.real_dynamic_slice %x, %one, %three, %one : (tensor<3xi32>, tensor<1xi64>, tensor<1xi64>, tensor<1xi64>) -> tensor<2xi32>
  check.expect_eq_const %s, dense<[2, 3]> : tensor<2xi32>
  %z = stablehlo.constant dense<9> : tensor<i32>
  %p = stablehlo.dynamic_pad %x, %z, %one, %one, %one : (tensor<3xi32>, tensor<i32>, tensor<1xi64>, tensor<1xi64>, tensor<1xi64>) -> tensor<7xi32>
  check.expect_eq_const %p, dense<[9, 1, 9, 2, 9, 3, 9]> : tensor<7xi32>
  return
}

// 4 checks hold
