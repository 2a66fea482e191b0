// test import
// More results than the operator gives.
func.func @f() {
  %x = stablehlo.constant dense<1> : tensor<2xi32>
  %y:2 = stablehlo.negate %x : tensor<2xi32>  // error: 2 results
  return
}
