// test import checks
func.func @sort_pairs_keeps_order_of_equals() {
  %k = stablehlo.constant dense<[[3, 1, 2, 1, 3, 1]]> : tensor<1x6xi32>
  %v = stablehlo.constant dense<[[0, 1, 2, 3, 4, 5]]> : tensor<1x6xi64>
  %r:2 = "stablehlo.sort"(%k, %v) <{dimension = 1 : i64, is_stable = true}> ({
  ^bb0(%a: tensor<i32>, %b: tensor<i32>, %c: tensor<i64>, %d: tensor<i64>):
    %lt = stablehlo.compare LT, %a, %b, SIGNED : (tensor<i32>, tensor<i32>) -> tensor<i1>
    stablehlo.return %lt : tensor<i1>
  }) : (tensor<1x6xi32>, tensor<1x6xi64>) -> (tensor<1x6xi32>, tensor<1x6xi64>)
  check.expect_eq_const %r#0, dense<[[1, 1, 1, 2, 3, 3]]> : tensor<1x6xi32>
  check.expect_eq_const %r#1, dense<[[1, 3, 5, 2, 0, 4]]> : tensor<1x6xi64>
  return
}

// 2 checks hold
