// test import checks
func.func @sort_downwards_along_the_first_dimension() {
  %k = stablehlo.constant dense<[[1.0, 8.0], [5.0, 2.0], [3.0, 9.0]]> : tensor<3x2xf32>
  %r = "stablehlo.sort"(%k) <{dimension = 0 : i64}> ({
  ^bb0(%a: tensor<f32>, %b: tensor<f32>):
    %ge = stablehlo.compare GE, %a, %b, TOTALORDER : (tensor<f32>, tensor<f32>) -> tensor<i1>
    stablehlo.return %ge : tensor<i1>
  }) : (tensor<3x2xf32>) -> tensor<3x2xf32>
  check.expect_eq_const %r, dense<[[5.0, 9.0], [3.0, 8.0], [1.0, 2.0]]> : tensor<3x2xf32>
  return
}

// 1 checks hold
