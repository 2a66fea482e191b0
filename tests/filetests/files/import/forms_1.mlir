// test import checks
!pair = tensor<2xi32>
#three = 3 : i64
module {
  func.func @main() attributes {note = #three, other = affine_map<(d0) -> (d0)>} {
    %x = stablehlo.constant dense<[-1, 0x7FFFFFFF]> : !pair
    %y = stablehlo.constant dense<1> : !pair
    %r = stablehlo.add %x, %y : !pair
    check.expect_eq_const %r, dense<[0, -2147483648]> : tensor<2xi32>
    %c = stablehlo.compare LT, %x, %y, SIGNED : (!pair, !pair) -> tensor<2xi1>
    check.expect_eq_const %c, dense<"0x01"> : tensor<2xi1>
    %s = stablehlo.slice %x [1:2] : (tensor<2xi32>) -> tensor<1xi32>
    check.expect_eq_const %s, dense<2147483647> : tensor<1xi32>
    func.return
  }
}

// 3 checks hold
