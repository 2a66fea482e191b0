// test import checks
func.func @branches() {
  %x = stablehlo.constant dense<[1, 2]> : tensor<2xi32>
  %t = stablehlo.constant dense<true> : tensor<i1>
  %r = "stablehlo.if"(%t) ({
    %a = stablehlo.negate %x : tensor<2xi32>
    stablehlo.return %a : tensor<2xi32>
  }, {
    stablehlo.return %x : tensor<2xi32>
  }) : (tensor<i1>) -> tensor<2xi32>
  check.expect_eq_const %r, dense<[-1, -2]> : tensor<2xi32>
  %k = stablehlo.constant dense<7> : tensor<i32>
  %s = "stablehlo.case"(%k) ({
    stablehlo.return %x : tensor<2xi32>
  }, {
    %a = stablehlo.add %x, %x : tensor<2xi32>
    stablehlo.return %a : tensor<2xi32>
  }) : (tensor<i32>) -> tensor<2xi32>
  check.expect_eq_const %s, dense<[2, 4]> : tensor<2xi32>
  return
}

// 2 checks hold
