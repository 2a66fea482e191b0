// test import
// A literal of another length.
func.func @f() {
  %x = stablehlo.constant dense<1> : tensor<2xi32>
  %y = stablehlo.constant dense<[1, 2, 3]> : tensor<2xi32>  // error: constant
  return
}
