// test import checks
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

// 4 checks hold
