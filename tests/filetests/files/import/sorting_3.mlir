// test import checks
func.func @sort_of_a_long_row() {
  // 600 elements: by the network. i * 7 mod 600 passes through all numbers.
  %i = stablehlo.iota dim = 1 : tensor<2x600xi32>
  %seven = stablehlo.constant dense<7> : tensor<2x600xi32>
  %n = stablehlo.constant dense<600> : tensor<2x600xi32>
  %p = stablehlo.multiply %i, %seven : tensor<2x600xi32>
  %k = stablehlo.remainder %p, %n : tensor<2x600xi32>
  %r:2 = "stablehlo.sort"(%k, %i) <{dimension = -1 : i64}> ({
  ^bb0(%a: tensor<i32>, %b: tensor<i32>, %c: tensor<i32>, %d: tensor<i32>):
    %lt = stablehlo.compare LT, %a, %b, SIGNED : (tensor<i32>, tensor<i32>) -> tensor<i1>
    stablehlo.return %lt : tensor<i1>
  }) : (tensor<2x600xi32>, tensor<2x600xi32>) -> (tensor<2x600xi32>, tensor<2x600xi32>)
  check.expect_eq %r#0, %i : tensor<2x600xi32>
  %back = stablehlo.multiply %r#1, %seven : tensor<2x600xi32>
  %mod = stablehlo.remainder %back, %n : tensor<2x600xi32>
  check.expect_eq %mod, %i : tensor<2x600xi32>
  return
}

// 2 checks hold
