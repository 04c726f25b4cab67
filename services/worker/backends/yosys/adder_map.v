// Carry chains as Yosys's xilinx/arith_map.v makes them, but with the propagate function of additions
// and subtractions ready as one exclusive or per bit: no ABC run for each of hundreds of adders.
(* techmap_celltype = "$alu" *)
module dovetail_alu (A, B, CI, BI, X, Y, CO);
  parameter A_SIGNED = 0;
  parameter B_SIGNED = 0;
  parameter A_WIDTH = 1;
  parameter B_WIDTH = 1;
  parameter Y_WIDTH = 1;
  parameter _TECHMAP_CONSTMSK_BI_ = 0;
  parameter _TECHMAP_CONSTVAL_BI_ = 0;
  (* force_downto *) input [A_WIDTH-1:0] A;
  (* force_downto *) input [B_WIDTH-1:0] B;
  (* force_downto *) output [Y_WIDTH-1:0] X, Y;
  input CI, BI;
  (* force_downto *) output [Y_WIDTH-1:0] CO;
  wire _TECHMAP_FAIL_ = Y_WIDTH <= 2 || !_TECHMAP_CONSTMSK_BI_;
  (* force_downto *) wire [Y_WIDTH-1:0] AA, BB;
  \$pos #(.A_SIGNED(A_SIGNED), .A_WIDTH(A_WIDTH), .Y_WIDTH(Y_WIDTH)) A_conv (.A(A), .Y(AA));
  \$pos #(.A_SIGNED(B_SIGNED), .A_WIDTH(B_WIDTH), .Y_WIDTH(Y_WIDTH)) B_conv (.A(B), .Y(BB));
  localparam COUNT = (Y_WIDTH + 3) / 4;
  localparam WIDE = COUNT * 4;
  (* force_downto *) wire [Y_WIDTH-1:0] P;
  generate if (_TECHMAP_CONSTVAL_BI_) assign P = AA ~^ BB; else assign P = AA ^ BB; endgenerate
  (* force_downto *) wire [WIDE-1:0] S = {{WIDE - Y_WIDTH{1'b0}}, P};
  (* force_downto *) wire [WIDE-1:0] DI = {{WIDE - Y_WIDTH{1'b0}}, AA};
  (* force_downto *) wire [WIDE-1:0] O, C;
  assign Y = O, CO = C, X = P;
  genvar i;
  generate for (i = 0; i < COUNT; i = i + 1) begin:slice
    if (i == 0) CARRY4 carry4 (.CYINIT(CI), .CI(1'd0), .DI(DI[3:0]), .S(S[3:0]), .O(O[3:0]), .CO(C[3:0]));
    else CARRY4 carry4 (.CYINIT(1'd0), .CI(C[i*4-1]), .DI(DI[i*4 +: 4]), .S(S[i*4 +: 4]), .O(O[i*4 +: 4]), .CO(C[i*4 +: 4]));
  end endgenerate
endmodule
(* techmap_celltype = "$_XOR_" *)
module dovetail_xor (A, B, Y);
  input A, B; output Y;
  \$lut #(.WIDTH(2), .LUT(4'b0110)) _TECHMAP_REPLACE_ (.A({B, A}), .Y(Y));
endmodule
(* techmap_celltype = "$_XNOR_" *)
module dovetail_xnor (A, B, Y);
  input A, B; output Y;
  \$lut #(.WIDTH(2), .LUT(4'b1001)) _TECHMAP_REPLACE_ (.A({B, A}), .Y(Y));
endmodule
(* techmap_celltype = "$_NOT_" *)
module dovetail_not (A, Y);
  input A; output Y;
  \$lut #(.WIDTH(1), .LUT(2'b01)) _TECHMAP_REPLACE_ (.A(A), .Y(Y));
endmodule
