// test import checks
func.func @maximum_with_reducer_block() {
  %x = stablehlo.constant dense<[[1, 7, 3], [4, -5, 6]]> : tensor<2x3xi32>
  %z = stablehlo.constant dense<-2147483648> : tensor<i32>
  %r = stablehlo.reduce(%x init: %z) across dimensions = [0, 1] : (tensor<2x3xi32>, tensor<i32>) -> tensor<i32>
   reducer(%a: tensor<i32>, %b: tensor<i32>) {
    %m = stablehlo.maximum %b, %a : tensor<i32>
    stablehlo.return %m : tensor<i32>
  }
  check.expect_eq_const %r, dense<7> : tensor<i32>
  return
}

// 1 checks hold
