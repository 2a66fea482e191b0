// test import
// A function that there is not.
func.func @f() {
  %x = stablehlo.constant dense<1> : tensor<2xi32>
  %y = call @nobody(%x) : (tensor<2xi32>) -> tensor<2xi32>  // error: @nobody
  return
}
