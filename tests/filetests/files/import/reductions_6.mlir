// test import checks
func.func @windows_with_any_region() {
  // The larger absolute value in windows of two, one place of padding before.
  %x = stablehlo.constant dense<[1, -4, 3, -2]> : tensor<4xi32>
  %z = stablehlo.constant dense<0> : tensor<i32>
  %r = "stablehlo.reduce_window"(%x, %z) <{window_dimensions = array<i64: 2>, padding = dense<[[1, 0]]> : tensor<1x2xi64>}> ({
  ^bb0(%a: tensor<i32>, %b: tensor<i32>):
    %p = stablehlo.abs %a : tensor<i32>
    %q = stablehlo.abs %b : tensor<i32>
    %ge = stablehlo.compare GE, %p, %q : (tensor<i32>, tensor<i32>) -> tensor<i1>
    %s = stablehlo.select %ge, %a, %b : tensor<i1>, tensor<i32>
    stablehlo.return %s : tensor<i32>
  }) : (tensor<4xi32>, tensor<i32>) -> tensor<4xi32>
  check.expect_eq_const %r, dense<[1, -4, -4, 3]> : tensor<4xi32>
  return
}

// 1 checks hold
