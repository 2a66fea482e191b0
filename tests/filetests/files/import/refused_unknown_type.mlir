// test import
// An element type that there is not.
func.func @f() {
  %x = stablehlo.constant dense<1> : tensor<2xi32>
  %y = stablehlo.constant dense<1> : tensor<2xi128>  // error: i128
  return
}
