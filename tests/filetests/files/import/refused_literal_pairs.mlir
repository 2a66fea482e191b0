// test import
// Complex literals are pairs.
func.func @f() {
  %x = stablehlo.constant dense<1> : tensor<2xi32>
  %y = stablehlo.constant dense<1> : tensor<2xcomplex<f32>>  // error: pairs
  return
}
