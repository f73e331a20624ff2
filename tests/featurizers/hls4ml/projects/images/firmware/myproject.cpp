#include <iostream>

#include "myproject.h"
#include "parameters.h"


void myproject(
    hls::stream<input_t> &x,
    hls::stream<result_t> &layer14_out
) {

    // hls-fpga-machine-learning insert IO
    #pragma HLS INTERFACE axis port=x,layer14_out
    #pragma HLS DATAFLOW

    // hls-fpga-machine-learning insert load weights
#ifndef __SYNTHESIS__
    static bool loaded_weights = false;
    if (!loaded_weights) {
        nnet::load_weights_from_txt<model_default_t, 216>(w2, "w2.txt");
        nnet::load_weights_from_txt<model_default_t, 8>(b2, "b2.txt");
        nnet::load_weights_from_txt<model_default_t, 72>(w5, "w5.txt");
        nnet::load_weights_from_txt<model_default_t, 8>(b5, "b5.txt");
        nnet::load_weights_from_txt<model_default_t, 48>(w7, "w7.txt");
        nnet::load_weights_from_txt<model_default_t, 6>(b7, "b7.txt");
        nnet::load_weights_from_txt<model_default_t, 6>(s9, "s9.txt");
        nnet::load_weights_from_txt<model_default_t, 6>(b9, "b9.txt");
        nnet::load_weights_from_txt<model_default_t, 216>(w13, "w13.txt");
        nnet::load_weights_from_txt<model_default_t, 4>(b13, "b13.txt");
        loaded_weights = true;    }
#endif
    // ****************************************
    // NETWORK INSTANTIATION
    // ****************************************

    // hls-fpga-machine-learning insert layers

    hls::stream<layer15_t> layer15_out("layer15_out");
    #pragma HLS STREAM variable=layer15_out depth=196

    hls::stream<layer2_t> layer2_out("layer2_out");
    #pragma HLS STREAM variable=layer2_out depth=144

    hls::stream<layer3_t> layer3_out("layer3_out");
    #pragma HLS STREAM variable=layer3_out depth=144

    hls::stream<layer4_t> layer4_out("layer4_out");
    #pragma HLS STREAM variable=layer4_out depth=36

    hls::stream<layer16_t> layer16_out("layer16_out");
    #pragma HLS STREAM variable=layer16_out depth=64

    hls::stream<layer5_t> layer5_out("layer5_out");
    #pragma HLS STREAM variable=layer5_out depth=36

    hls::stream<layer7_t> layer7_out("layer7_out");
    #pragma HLS STREAM variable=layer7_out depth=36

    hls::stream<layer9_t> layer9_out("layer9_out");
    #pragma HLS STREAM variable=layer9_out depth=36

    hls::stream<layer10_t> layer10_out("layer10_out");
    #pragma HLS STREAM variable=layer10_out depth=36

    hls::stream<layer11_t> layer11_out("layer11_out");
    #pragma HLS STREAM variable=layer11_out depth=9

    auto& layer12_out = layer11_out;
    hls::stream<layer13_t> layer13_out("layer13_out");
    #pragma HLS STREAM variable=layer13_out depth=1

    nnet::zeropad2d_cl<input_t, layer15_t, config15>(x, layer15_out); // zp2d_c1

    nnet::conv_2d_cl<layer15_t, layer2_t, config2>(layer15_out, layer2_out, w2, b2); // c1

    nnet::relu<layer2_t, layer3_t, relu_config3>(layer2_out, layer3_out); // c1_relu

    nnet::pooling2d_cl<layer3_t, layer4_t, config4>(layer3_out, layer4_out); // p1

    nnet::zeropad2d_cl<layer4_t, layer16_t, config16>(layer4_out, layer16_out); // zp2d_dw

    nnet::depthwise_conv_2d_cl<layer16_t, layer5_t, config5>(layer16_out, layer5_out, w5, b5); // dw

    nnet::pointwise_conv_2d_cl<layer5_t, layer7_t, config17>(layer5_out, layer7_out, w7, b7); // pw

    nnet::normalize<layer7_t, layer9_t, config9>(layer7_out, layer9_out, s9, b9); // b1

    nnet::relu<layer9_t, layer10_t, relu_config10>(layer9_out, layer10_out); // a1

    nnet::pooling2d_cl<layer10_t, layer11_t, config11>(layer10_out, layer11_out); // p2

    nnet::dense<layer11_t, layer13_t, config13>(layer12_out, layer13_out, w13, b13); // out

    nnet::softmax<layer13_t, result_t, softmax_config14>(layer13_out, layer14_out); // out_softmax

}

