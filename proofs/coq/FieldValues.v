(* SPDX-License-Identifier: GPL-3.0-or-later *)
(*
 * FieldValues.v - Algorithms 5 and 3, carried out: the very definitions of Decode.v and
 * Algorithm3.v over the integers modulo 2^61 - 1, at a few small shapes.
 *
 * Evaluate.v computes `decoded` and `differentiated` and writes field_decode.txt and
 * field_gradients.txt; tests/test_coq_values.c runs the texts of ref/ on the same inputs in the
 * field system and compares bit for bit. So what the theorems are about and what the C text does
 * are seen to be the same function at these points.
 *
 * States    decode_output over `residues` is the definition's output and the parallel form's: the
 *           file holds the values that every form must give.
 * C files   ref/decode.c, ref/backward_blockwise.c, over ref/systems/field.c.
 *)
From Coq Require Import NArith List String.
Require Import Castle.Definitions Castle.Causality Castle.Decode Castle.Theorem1 Castle.Blocks
  Castle.Blockwise Castle.Algorithm3 Castle.Residues.
Import ListNotations.
Open Scope nat_scope.

(* A case: L tokens, d dimensions, a window or none, a key of the functions. *)
Record field_case := FieldCase { tokens : nat; width : nat; window : option nat; key : N }.

Definition mask_of (f : field_case) : nat -> nat -> bool :=
  match window f with
  | None => castle_mask
  | Some W => swl_mask W
  end.

(* The i-th of the matrices drawn: QU, KU, VU, QC, KC, VC, the scale alone, dO. A table, so that its
 * numbers are drawn once. *)
Definition matrix_drawn (f : field_case) (i : nat) : nat -> nat -> residue :=
  let size := tokens f * width f in
  let table := List.map (fun j => drawn (key f + N.of_nat (i * size + j))) (seq 0 size) in
  fun t k => nth (t * width f + k) table (reduce 0).

Definition inputs_of (f : field_case) : inputs residues :=
  Inputs (K := residues) (matrix_drawn f 0) (matrix_drawn f 1) (matrix_drawn f 2)
         (matrix_drawn f 3) (matrix_drawn f 4) (matrix_drawn f 5).

Definition operator_of (f : field_case) : operator residues :=
  Operator (K := residues) (width f) (matrix_drawn f 6 0 0) (mask_of f)
    (residue_sigmoid (key f)) (residue_silu (key f)) (residue_exp (key f)) inverse_residue.

Lemma mask_of_ahead f : ahead (mask_of f).
Proof.
  unfold mask_of. destruct (window f); [apply swl_mask_ahead|apply castle_mask_ahead].
Qed.

(* What is evaluated is the definition's answer, and the parallel form's. *)
Theorem evaluated_is_sequential f t k :
  decode_output (operator_of f) (inputs_of f) t k = output (operator_of f) (inputs_of f) t k.
Proof. apply decode_is_sequential. apply mask_of_ahead. Qed.

Theorem evaluated_is_parallel f t k :
  (t < tokens f) ->
  decode_output (operator_of f) (inputs_of f) t k =
  parallel_output (operator_of f) (inputs_of f) (tokens f) t k.
Proof. intros H. rewrite evaluated_is_sequential. symmetry. now apply theorem1. Qed.

(* ---- the values ------------------------------------------------------------------------------- *)

Definition row_by_row (f : field_case) (A : nat -> nat -> residue) : list N :=
  flat_map (fun t => let row := A t in List.map (fun k => value (row k)) (seq 0 (width f)))
    (seq 0 (tokens f)).

Definition head_values (f : field_case) : list (string * list N) :=
  let x := inputs_of f in
  [("shape", List.map N.of_nat [tokens f; width f]);
   ("window", match window f with None => [] | Some W => [N.of_nat W] end);
   ("key", [key f]);
   ("scale", [value (scale (operator_of f))]);
   ("QU", row_by_row f (QU x)); ("KU", row_by_row f (KU x)); ("VU", row_by_row f (VU x));
   ("QC", row_by_row f (QC x)); ("KC", row_by_row f (KC x)); ("VC", row_by_row f (VC x))]%string.

(* O, the softmax's denominators l, and U^L out of the cache *)
Definition decoded (f : field_case) : list (string * list N) :=
  let c := operator_of f in
  let x := inputs_of f in
  head_values f ++
  [("O", row_by_row f (decode_output c x));
   ("l", List.map (fun t => value (decode_denominator c x t)) (seq 0 (tokens f)));
   ("U", row_by_row f (cU (cache_after c x (tokens f))))]%string.

(* The same numbers, computed once. *)
Definition tabulated (f : field_case) (A : nat -> nat -> residue) : nat -> nat -> residue :=
  let table := flat_map (fun t => let row := A t in List.map row (seq 0 (width f)))
                 (seq 0 (tokens f)) in
  fun t k => nth (t * width f + k) table (reduce 0).

(* Algorithm 3 in blocks of B, behind a forward pass whose reference points are 0, as the field
 * system's are; log is the identity there, so the denominators stand for lse. *)
Definition gradients_of (f : field_case) (B : nat) (how : take_back_by) : inputs residues :=
  let c := operator_of f in
  let x := inputs_of f in
  let meets := match window f with
               | None => castle_meets (tokens f) B
               | Some W => swl_meets (tokens f) B W
               end in
  let O := tabulated f (decode_output c x) in
  let l := tabulated f (fun t _ => decode_denominator c x t) in
  let D := tabulated f (blockwise_D c x (tokens f) B meets (fun _ _ => reduce 0)) in
  backward_blockwise c x (tokens f) B meets residue_gate_slope (residue_silu_slope (key f))
    O (fun t => l t 0) D (matrix_drawn f 7) how.

(* B, dO, then the six gradients *)
Definition differentiated (g : field_case * nat * take_back_by) : list (string * list N) :=
  let '(f, B, how) := g in
  let d := gradients_of f B how in
  head_values f ++
  [("B", [N.of_nat B]); ("dO", row_by_row f (matrix_drawn f 7));
   ("dQU", row_by_row f (QU d)); ("dKU", row_by_row f (KU d)); ("dVU", row_by_row f (VU d));
   ("dQC", row_by_row f (QC d)); ("dKC", row_by_row f (KC d)); ("dVC", row_by_row f (VC d))]%string.

Definition decode_cases : list field_case :=
  [FieldCase 5 3 None 1000; FieldCase 5 3 (Some 2) 2000].
Definition gradient_cases : list (field_case * nat * take_back_by) :=
  [(FieldCase 5 2 None 3000, 2, by_subtraction);
   (FieldCase 5 2 (Some 2) 4000, 2, by_recomputation)].

(* What stands for 1/x is it: of every denominator that occurs. *)
Definition inverts (f : field_case) : bool :=
  forallb (fun t => let l := decode_denominator (operator_of f) (inputs_of f) t in
                    N.eqb (value (times l (inverse_residue l))) 1) (seq 0 (tokens f)).
Theorem denominators_invert : forallb inverts (decode_cases ++ List.map (fun g => fst (fst g)) gradient_cases) = true.
Proof. vm_compute. reflexivity. Qed.
