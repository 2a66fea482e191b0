// test import checks
func.func @argmax_first_of_equals() {
  %x = stablehlo.constant dense<[[3, 9, 9, 1, 0], [5, 5, 5, 5, 5], [-1, -2, -3, -4, 8]]> : tensor<3x5xi32>
  %i = stablehlo.iota dim = 1 : tensor<3x5xi32>
  %low = stablehlo.constant dense<-2147483648> : tensor<i32>
  %zero = stablehlo.constant dense<0> : tensor<i32>
  %r:2 = stablehlo.reduce(%x init: %low), (%i init: %zero) across dimensions = [1] : (tensor<3x5xi32>, tensor<3x5xi32>, tensor<i32>, tensor<i32>) -> (tensor<3xi32>, tensor<3xi32>)
   reducer(%a: tensor<i32>, %c: tensor<i32>) (%b: tensor<i32>, %d: tensor<i32>) {
    %gt = stablehlo.compare GT, %a, %c, SIGNED : (tensor<i32>, tensor<i32>) -> tensor<i1>
    %eq = stablehlo.compare EQ, %a, %c, SIGNED : (tensor<i32>, tensor<i32>) -> tensor<i1>
    %lt = stablehlo.compare LT, %b, %d, SIGNED : (tensor<i32>, tensor<i32>) -> tensor<i1>
    %tie = stablehlo.and %eq, %lt : tensor<i1>
    %first = stablehlo.or %gt, %tie : tensor<i1>
    %v = stablehlo.select %gt, %a, %c : tensor<i1>, tensor<i32>
    %p = stablehlo.select %first, %b, %d : tensor<i1>, tensor<i32>
    stablehlo.return %v, %p : tensor<i32>, tensor<i32>
  }
  check.expect_eq_const %r#0, dense<[9, 5, 8]> : tensor<3xi32>
  check.expect_eq_const %r#1, dense<[1, 0, 4]> : tensor<3xi32>
  return
}

// 2 checks hold
