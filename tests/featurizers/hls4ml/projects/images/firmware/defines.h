#ifndef DEFINES_H_
#define DEFINES_H_

#include "ap_fixed.h"
#include "ap_int.h"
#include "nnet_utils/nnet_types.h"
#include <array>
#include <cstddef>
#include <cstdio>
#include <tuple>
#include <tuple>


// hls-fpga-machine-learning insert numbers

// hls-fpga-machine-learning insert layer-precision
typedef nnet::array<ap_fixed<10,4>, 3*1> input_t;
typedef nnet::array<ap_fixed<10,4>, 3*1> layer15_t;
typedef ap_fixed<10,4> model_default_t;
typedef nnet::array<ap_fixed<10,4>, 8*1> layer2_t;
typedef nnet::array<ap_fixed<10,4>, 8*1> layer3_t;
typedef ap_fixed<18,8> c1_relu_table_t;
typedef nnet::array<ap_fixed<10,4>, 8*1> layer4_t;
typedef nnet::array<ap_fixed<10,4>, 8*1> layer16_t;
typedef nnet::array<ap_fixed<10,4>, 8*1> layer5_t;
typedef nnet::array<ap_fixed<10,4>, 6*1> layer7_t;
typedef nnet::array<ap_fixed<10,4>, 6*1> layer9_t;
typedef nnet::array<ap_fixed<10,4>, 6*1> layer10_t;
typedef ap_fixed<18,8> a1_table_t;
typedef nnet::array<ap_fixed<10,4>, 6*1> layer11_t;
typedef nnet::array<ap_fixed<10,4>, 4*1> layer13_t;
typedef ap_uint<1> layer13_index;
typedef nnet::array<ap_fixed<10,4>, 4*1> result_t;
typedef ap_fixed<18,8> out_softmax_table_t;
typedef ap_fixed<18,8,AP_RND,AP_SAT,0> out_softmax_exp_table_t;
typedef ap_fixed<18,8,AP_RND,AP_SAT,0> out_softmax_inv_table_t;
typedef ap_fixed<18,8,AP_RND,AP_SAT,0> out_softmax_inv_inp_t;

// hls-fpga-machine-learning insert emulator-defines


#endif
