(* SPDX-License-Identifier: GPL-3.0-or-later *)
(*
 * Backward.v - the gradients of Theorem 1's form: reverse mode is the transpose of forward mode.
 *
 * States    the gradients, dense, line by line as ref/backward.c has them; the tangent O' of O
 *           along a change x' of the inputs, by the rules of differentiation; and that
 *             reverse_is_forward    <dO, O'> = sum over the six inputs of <gradient, x'>.
 *           An identity in any commutative ring, with arbitrary functions as slopes of sigmoid and
 *           SiLU. Gradient.v shows that over the reals O' is the derivative.
 * Equations dS = P o (dP - delta) and so on; (28) to (39) with the errata repaired.
 * C file    ref/backward.c, which rebuilds P as exp(S - lse); here P is itself.
 *)
Require Import Castle.Definitions Castle.Theorem1.
Require Import Ring.

Section Gradients.

Context {K : ring}.
Variables (c : operator K) (x : inputs K) (L : nat).

(* sigmoid'(z) as a function of g = sigmoid(z): g (1 - g). And SiLU'. *)
Variables gate_slope penalty_slope : K -> K.

Let P := P c x L.
Let SU := SU c x L.
Let T1 := T1 c x.
Let G := G c x.

(* ---- reverse mode: from dO to the gradients -------------------------------------------------- *)

Section Reverse.

Variable dO : nat -> nat -> K.

(* O = P VC *)
Definition dVC (s k : nat) : K := \sum_(t < L) P t s * dO t k.
Definition dP : nat -> nat -> K := masked tril (product_nt (dim c) dO (VC x)).

(* P = row_softmax(S): dS = P o (dP - delta), delta_t = dO_t . O_t *)
Definition delta (t : nat) : K := dot (dim c) (dO t) (parallel_output c x L t).
Definition dS (t s : nat) : K := P t s * (dP t s - delta t).

(* S = SC - SiLU(SU) *)
Definition dSU (t s : nat) : K := - (dS t s * penalty_slope (SU t s)).

(* SU = T1 G^T *)
Definition dT1 : nat -> nat -> K := masked tril (product L dSU G).
Definition dG : nat -> nat -> K := masked (allowed c) (fun s j => \sum_(t < L) dSU t s * T1 t j).

(* G = sigmoid(Z), Z = scale QU KU^T *)
Definition dZ (s j : nat) : K := dG s j * gate_slope (G s j).
Definition dQU (s k : nat) : K := scale c * \sum_(j < L) dZ s j * KU x j k.
Definition dKU (j k : nat) : K := scale c * \sum_(s < L) dZ s j * QU x s k.

(* T1 = scale QC VU^T and SC = scale QC KC^T *)
Definition dVU (j k : nat) : K := scale c * \sum_(t < L) dT1 t j * QC x t k.
Definition dQC (t k : nat) : K :=
  scale c * (\sum_(s < L) dS t s * KC x s k + \sum_(j < L) dT1 t j * VU x j k).
Definition dKC (s k : nat) : K := scale c * \sum_(t < L) dS t s * QC x t k.

Definition backward : inputs K := Inputs dQU dKU dVU dQC dKC dVC.

End Reverse.

(* ---- forward mode: from a change of the inputs to that of O ---------------------------------- *)

Section Forward.

Variable x' : inputs K.

(* (A B^T)' *)
Definition product_nt' (A A' B B' : nat -> nat -> K) (i j : nat) : K :=
  \sum_(k < dim c) (A' i k * B j k + A i k * B' j k).

Definition Z' (s j : nat) : K := scale c * product_nt' (QU x) (QU x') (KU x) (KU x') s j.
Definition G' : nat -> nat -> K := masked (allowed c) (fun s j => gate_slope (G s j) * Z' s j).
Definition T1' : nat -> nat -> K :=
  masked tril (scaled (scale c) (product_nt' (QC x) (QC x') (VU x) (VU x'))).
Definition SU' (t s : nat) : K := \sum_(j < L) (T1' t j * G s j + T1 t j * G' s j).
Definition SC' : nat -> nat -> K :=
  scaled (scale c) (product_nt' (QC x) (QC x') (KC x) (KC x')).
Definition S' (t s : nat) : K := SC' t s - penalty_slope (SU t s) * SU' t s.
Definition P' (t s : nat) : K := P t s * (S' t s - \sum_(r < L) P t r * S' t r).
Definition O' (t k : nat) : K := \sum_(s < L) (P' t s * VC x s k + P t s * VC x' s k).

End Forward.

End Gradients.

(* ---- the two are transposes of each other ---------------------------------------------------- *)

Section Adjoint.

Context {K : ring}.
Add Ring K_ring : (laws K).

(* <A, B>, the sum of products of entries *)
Definition pairing (m n : nat) (A B : nat -> nat -> K) : K :=
  \sum_(i < m) \sum_(j < n) A i j * B i j.

(* ... of all six inputs *)
Definition inputs_pairing (L d : nat) (g x' : inputs K) : K :=
  pairing L d (QU g) (QU x') + pairing L d (KU g) (KU x') + pairing L d (VU g) (VU x') +
  pairing L d (QC g) (QC x') + pairing L d (KC g) (KC x') + pairing L d (VC g) (VC x').

Lemma pairing_ext m n (A A' B B' : nat -> nat -> K) :
  (forall i j, (i < m)%nat -> (j < n)%nat -> A i j * B i j = A' i j * B' i j) ->
  pairing m n A B = pairing m n A' B'.
Proof. intros H. apply sum_ext. intros i Hi. apply sum_ext. intros j Hj. now apply H. Qed.

Lemma pairing_add m n (A B B' : nat -> nat -> K) :
  pairing m n A (fun i j => B i j + B' i j) = pairing m n A B + pairing m n A B'.
Proof.
  unfold pairing. rewrite <- sum_add. apply sum_ext. intros i _. rewrite <- sum_add.
  apply sum_ext. intros j _. ring.
Qed.

Lemma pairing_scale m n a (A B : nat -> nat -> K) :
  pairing m n A (fun i j => a * B i j) = pairing m n (fun i j => a * A i j) B.
Proof. apply pairing_ext. intros. ring. Qed.

(* <A, X Y^T> = <A Y, X> *)
Lemma pairing_left m n p (A X Y : nat -> nat -> K) :
  pairing m n A (fun i j => \sum_(k < p) X i k * Y j k) =
  pairing m p (fun i k => \sum_(j < n) A i j * Y j k) X.
Proof.
  apply sum_ext. intros i _.
  rewrite (sum_ext n _ (fun j => \sum_(k < p) A i j * Y j k * X i k)).
  - rewrite sum_exchange. apply sum_ext. intros k _. apply sum_mul_r.
  - intros j _. rewrite <- sum_mul_l. apply sum_ext. intros k _. ring.
Qed.

Lemma pairing_transpose m n (A B : nat -> nat -> K) :
  pairing m n A B = pairing n m (fun j i => A i j) (fun j i => B i j).
Proof. apply sum_exchange. Qed.

(* <A, X Y^T> = <A^T X, Y> *)
Lemma pairing_right m n p (A X Y : nat -> nat -> K) :
  pairing m n A (fun i j => \sum_(k < p) X i k * Y j k) =
  pairing n p (fun j k => \sum_(i < m) A i j * X i k) Y.
Proof.
  rewrite pairing_transpose, <- pairing_left. apply pairing_ext. intros j i _ _. f_equal.
  apply sum_ext. intros k _. ring.
Qed.

(* <A, (X Y^T)'> *)
Lemma pairing_product m n p (A X X' Y Y' : nat -> nat -> K) :
  pairing m n A (fun i j => \sum_(k < p) (X' i k * Y j k + X i k * Y' j k)) =
  pairing m p (fun i k => \sum_(j < n) A i j * Y j k) X' +
  pairing n p (fun j k => \sum_(i < m) A i j * X i k) Y'.
Proof.
  rewrite <- pairing_left, <- pairing_right, <- pairing_add. apply pairing_ext. intros i j _ _.
  now rewrite sum_add.
Qed.

Lemma masked_is_masked mask (A B : nat -> nat -> K) i j :
  masked mask A i j * B i j = A i j * masked mask B i j.
Proof. unfold masked. destruct (mask i j); ring. Qed.

Variables (c : operator K) (x : inputs K) (L : nat).
Variables gate_slope penalty_slope : K -> K.
Variables (dO : nat -> nat -> K) (x' : inputs K).

Let P := P c x L.
Let dS := dS c x L dO.
Let dSU := dSU c x L penalty_slope dO.
Let dT1 := dT1 c x L penalty_slope dO.
Let dG := dG c x L penalty_slope dO.
Let dZ := dZ c x L gate_slope penalty_slope dO.
Let S' := S' c x L gate_slope penalty_slope x'.
Let SU' := SU' c x L gate_slope x'.
Let G' := G' c x gate_slope x'.
Let T1' := T1' c x x'.
Let Z' := Z' c x x'.
Let P' := P' c x L gate_slope penalty_slope x'.
Let O' := O' c x L gate_slope penalty_slope x'.

Lemma P_above t s : tril t s = false -> P t s = 0.
Proof. intros H. unfold P, Theorem1.P, masked. now rewrite H. Qed.

Lemma through_O :
  pairing L (dim c) dO O' =
  pairing L L (dP c x dO) P' + pairing L (dim c) (dVC c x L dO) (VC x').
Proof.
  transitivity (pairing L L (product_nt (dim c) dO (VC x)) P' + pairing L (dim c) (dVC c x L dO)
    (VC x')).
  - unfold O', Backward.O'. unfold product_nt.
    rewrite (pairing_ext L (dim c) dO dO _
      (fun t k => \sum_(s < L) P' t s * (fun k s => VC x s k) k s +
                  \sum_(s < L) P t s * (fun k s => VC x' s k) k s))
      by (intros; f_equal; apply sum_add).
    rewrite pairing_add, pairing_left, pairing_right. f_equal.
    rewrite pairing_transpose. apply pairing_ext. intros s k _ _. f_equal.
    apply sum_ext. intros t _. unfold P. ring.
  - f_equal. apply pairing_ext. intros t s _ _. unfold dP, masked.
    destruct (tril t s) eqn:E; [reflexivity|].
    unfold P', Backward.P'. fold P. rewrite P_above by assumption. ring.
Qed.

(* The softmax Jacobian is its own transpose. *)
Lemma through_softmax : pairing L L (dP c x dO) P' = pairing L L dS S'.
Proof.
  apply sum_ext. intros t _. unfold P', Backward.P', dS, Backward.dS. fold P S'.
  set (a := \sum_(r < L) P t r * S' t r).
  assert (Hdelta : delta c x L dO t = \sum_(s < L) P t s * dP c x dO t s).
  { unfold delta, dot, parallel_output, product. fold P.
    rewrite (sum_ext (dim c) _ (fun k => \sum_(s < L) dO t k * (P t s * VC x s k)))
      by (intros; now rewrite sum_mul_l).
    rewrite sum_exchange. apply sum_ext. intros s _. unfold dP, masked, product_nt.
    destruct (tril t s) eqn:E.
    - rewrite <- sum_mul_l. apply sum_ext. intros k _. ring.
    - rewrite (P_above t s E), sum_zero; [ring|]. intros k _. ring. }
  rewrite (sum_ext L _ (fun s => dP c x dO t s * P t s * S' t s - a * (P t s * dP c x dO t s)))
    by (intros; ring).
  rewrite sum_sub, sum_mul_l, <- Hdelta.
  rewrite (sum_ext L (fun s => P t s * (dP c x dO t s - delta c x L dO t) * S' t s)
    (fun s => dP c x dO t s * P t s * S' t s - delta c x L dO t * (P t s * S' t s)))
    by (intros; ring).
  rewrite sum_sub, sum_mul_l. fold a. ring.
Qed.

Lemma through_scores :
  pairing L L dS S' =
  pairing L (dim c) (fun t k => scale c * \sum_(s < L) dS t s * KC x s k) (QC x') +
  pairing L (dim c) (dKC c x L dO) (KC x') + pairing L L dSU SU'.
Proof.
  transitivity (pairing L L dS (SC' c x x') + pairing L L dSU SU').
  - unfold pairing. rewrite <- sum_add. apply sum_ext. intros t _. rewrite <- sum_add.
    apply sum_ext. intros s _. unfold dSU, Backward.dSU, S', Backward.S'. fold dS SU'. ring.
  - f_equal. unfold SC', scaled, product_nt'. rewrite pairing_scale, pairing_product. f_equal;
      apply pairing_ext; intros i k _ _; unfold dKC; fold dS; rewrite <- sum_mul_l; f_equal;
      apply sum_ext; intros j _; ring.
Qed.

Lemma through_SU : pairing L L dSU SU' = pairing L L dT1 T1' + pairing L L dG G'.
Proof.
  unfold SU', Backward.SU'. rewrite pairing_product. f_equal; apply pairing_ext; intros i j _ _.
  - unfold dT1, Backward.dT1. rewrite masked_is_masked. f_equal.
    unfold T1', Backward.T1', masked. destruct (tril i j); reflexivity.
  - unfold dG, Backward.dG. rewrite masked_is_masked. f_equal.
    unfold G', Backward.G', masked. destruct (allowed c i j); reflexivity.
Qed.

Lemma through_T1 :
  pairing L L dT1 T1' =
  pairing L (dim c) (fun t k => scale c * \sum_(j < L) dT1 t j * VU x j k) (QC x') +
  pairing L (dim c) (dVU c x L penalty_slope dO) (VU x').
Proof.
  rewrite (pairing_ext L L dT1 dT1 T1'
    (fun t j => scale c * product_nt' c (QC x) (QC x') (VU x) (VU x') t j)).
  2: { intros t j _ _. unfold T1', Backward.T1'. rewrite <- masked_is_masked. f_equal.
       unfold dT1, Backward.dT1, masked. destruct (tril t j); reflexivity. }
  unfold product_nt'. rewrite pairing_scale, pairing_product. f_equal;
    apply pairing_ext; intros i k _ _; unfold dVU; fold dT1; rewrite <- sum_mul_l; f_equal;
    apply sum_ext; intros j _; ring.
Qed.

Lemma through_gates :
  pairing L L dG G' =
  pairing L (dim c) (dQU c x L gate_slope penalty_slope dO) (QU x') +
  pairing L (dim c) (dKU c x L gate_slope penalty_slope dO) (KU x').
Proof.
  rewrite (pairing_ext L L dG dZ G'
    (fun s j => scale c * product_nt' c (QU x) (QU x') (KU x) (KU x') s j)).
  2: { intros s j _ _. unfold G', Backward.G', dZ, Backward.dZ. fold dG.
       rewrite <- masked_is_masked. unfold dG at 1, Backward.dG, masked. fold dG.
       unfold dG, Backward.dG, masked, Z'. destruct (allowed c s j); unfold Backward.Z'; ring. }
  unfold product_nt'. rewrite pairing_scale, pairing_product. f_equal;
    apply pairing_ext; intros i k _ _; unfold dQU, dKU; fold dZ; rewrite <- sum_mul_l; f_equal;
    apply sum_ext; intros j _; ring.
Qed.

(* What the gradients say of any change of the inputs is what that change does to <dO, O>. *)
Theorem reverse_is_forward :
  pairing L (dim c) dO O' =
  inputs_pairing L (dim c) (backward c x L gate_slope penalty_slope dO) x'.
Proof.
  rewrite through_O, through_softmax, through_scores, through_SU, through_T1, through_gates.
  unfold inputs_pairing. simpl.
  assert (HQC : pairing L (dim c) (dQC c x L penalty_slope dO) (QC x') =
    pairing L (dim c) (fun t k => scale c * \sum_(s < L) dS t s * KC x s k) (QC x') +
    pairing L (dim c) (fun t k => scale c * \sum_(j < L) dT1 t j * VU x j k) (QC x')).
  { unfold pairing. rewrite <- sum_add. apply sum_ext. intros t _. rewrite <- sum_add.
    apply sum_ext. intros k _. unfold dQC. fold dS dT1. ring. }
  rewrite HQC. ring.
Qed.

End Adjoint.
