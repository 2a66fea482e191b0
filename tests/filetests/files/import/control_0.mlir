// test import checks
func.func @while_pretty() {
  %z = stablehlo.constant dense<0> : tensor<i32>
  %one = stablehlo.constant dense<1> : tensor<i32>
  %r:2 = stablehlo.while(%i = %z, %s = %one) : tensor<i32>, tensor<i32>
   cond {
    %n = stablehlo.constant dense<5> : tensor<i32>
    %c = stablehlo.compare LT, %i, %n, SIGNED : (tensor<i32>, tensor<i32>) -> tensor<i1>
    stablehlo.return %c : tensor<i1>
  } do {
    %j = stablehlo.add %i, %one : tensor<i32>
    %t = stablehlo.add %s, %s : tensor<i32>
    stablehlo.return %j, %t : tensor<i32>, tensor<i32>
  }
  check.expect_eq_const %r#1, dense<32> : tensor<i32>
  return
}

// 1 checks hold
