// test import
// A reshape that changes the number of elements.
func.func @f() {
  %x = stablehlo.constant dense<1> : tensor<2xi32>
  %y = stablehlo.reshape %x : (tensor<2xi32>) -> tensor<3xi32>  // error: reshape
  return
}
