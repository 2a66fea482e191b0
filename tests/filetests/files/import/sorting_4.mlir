// test import checks
func.func @long_rows_keep_order_of_equals() {
  %i = stablehlo.iota dim = 0 : tensor<300xi32>
  %three = stablehlo.constant dense<3> : tensor<300xi32>
  %k = stablehlo.remainder %i, %three : tensor<300xi32>
  %r:2 = "stablehlo.sort"(%k, %i) <{dimension = 0 : i64, is_stable = true}> ({
  ^bb0(%a: tensor<i32>, %b: tensor<i32>, %c: tensor<i32>, %d: tensor<i32>):
    %lt = stablehlo.compare LT, %a, %b, SIGNED : (tensor<i32>, tensor<i32>) -> tensor<i1>
    stablehlo.return %lt : tensor<i1>
  }) : (tensor<300xi32>, tensor<300xi32>) -> (tensor<300xi32>, tensor<300xi32>)
  %hundred = stablehlo.constant dense<100> : tensor<300xi32>
  %within = stablehlo.remainder %i, %hundred : tensor<300xi32>
  %group = stablehlo.divide %i, %hundred : tensor<300xi32>
  %scaled = stablehlo.multiply %within, %three : tensor<300xi32>
  %want = stablehlo.add %scaled, %group : tensor<300xi32>
  check.expect_eq %r#1, %want : tensor<300xi32>
  return
}

// 1 checks hold
