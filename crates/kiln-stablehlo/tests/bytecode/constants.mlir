func.func @main() -> (tensor<4xf8E4M3FN>, tensor<4xf8E5M2>, tensor<3xi4>, tensor<3xui4>, tensor<2xcomplex<f32>>, tensor<3xi1>, tensor<10xi1>, tensor<2xbf16>, tensor<2xf16>, tensor<9xi1>, tensor<2xui64>) {
  %0 = stablehlo.constant dense<[1.0, -2.0, 0.5, 448.0]> : tensor<4xf8E4M3FN>
  %1 = stablehlo.constant dense<[1.0, -2.0, 0.5, 0x7C]> : tensor<4xf8E5M2>
  %2 = stablehlo.constant dense<[-8, 7, -1]> : tensor<3xi4>
  %3 = stablehlo.constant dense<[0, 15, 8]> : tensor<3xui4>
  %4 = stablehlo.constant dense<[(1.0, -2.0), (0.0, 3.5)]> : tensor<2xcomplex<f32>>
  %5 = stablehlo.constant dense<[true, false, true]> : tensor<3xi1>
  %6 = stablehlo.constant dense<true> : tensor<10xi1>
  %7 = stablehlo.constant dense<[1.5, -0.0]> : tensor<2xbf16>
  %8 = stablehlo.constant dense<[65504.0, 0x7C00]> : tensor<2xf16>
  %9 = stablehlo.constant dense<[true, false, false, false, false, false, false, false, true]> : tensor<9xi1>
  %a = stablehlo.constant dense<[18446744073709551615, 1]> : tensor<2xui64>
  return %0, %1, %2, %3, %4, %5, %6, %7, %8, %9, %a : tensor<4xf8E4M3FN>, tensor<4xf8E5M2>, tensor<3xi4>, tensor<3xui4>, tensor<2xcomplex<f32>>, tensor<3xi1>, tensor<10xi1>, tensor<2xbf16>, tensor<2xf16>, tensor<9xi1>, tensor<2xui64>
}
