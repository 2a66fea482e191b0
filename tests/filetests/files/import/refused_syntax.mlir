// test import
// A slice that is written wrong.
func.func @f() {
  %x = stablehlo.constant dense<1> : tensor<2xi32>
  %y = stablehlo.slice %x [0 2] : (tensor<2xi32>) -> tensor<2xi32>  // error: expected `:`
  return
}
