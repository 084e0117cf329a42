(* SPDX-License-Identifier: GPL-3.0-or-later *)
(*
 * Rounding.v - rules B1 to B3 of proofs/rounding.md: what no order of operations can exceed.
 *
 * States    product_bound    a sum of n products, evaluated in any order by multiplications, fused
 *           multiply-adds and additions, each rounded once, is off by at most
 *           gamma_n sum |a b| + n tiny, with gradual underflow as well as with flushing to 0.
 * Model     a rounding is a function on the reals; all that is asked of it is `gradual` or
 *           `flushing` below. No overflow. Binary32.v shows that Flocq's binary32 is such a
 *           function.
 * C file    ref/systems/bounded.c: gamma_of, dot.
 *)
From Coq Require Import Reals Lra Permutation List.
From Flocq Require Import Core Relative FTZ.
Require Import Castle.Definitions Castle.RealFunctions.
Import ListNotations.
Open Scope R_scope.

(* ---- machines -------------------------------------------------------------------------------- *)

(* B1: what one rounding of a result does. Gradual underflow loses at most u tiny. *)
Definition gradual (u tiny : R) (fl : R -> R) : Prop :=
  forall z, Rabs (fl z - z) <= u * Rabs z + u * tiny.

(* Flushing: to 0 below tiny, relative error u otherwise; what is rounded stays as it is. *)
Definition flushing (u tiny : R) (fl : R -> R) : Prop :=
  (forall z, fl z = 0 /\ Rabs z <= tiny \/ Rabs (fl z - z) <= u * Rabs z) /\
  (forall z, fl (fl z) = fl z).

Definition gamma (u : R) (n : nat) : R := INR n * u / (1 - INR n * u).

(* ---- evaluations ----------------------------------------------------------------------------- *)

(* Any way to evaluate a sum of products a_k b_k *)
Inductive evaluation :=
  | Product (k : nat)                       (* a_k b_k, rounded *)
  | Fma (k : nat) (rest : evaluation)       (* a_k b_k + rest, rounded once *)
  | Add (left right : evaluation).          (* left + right, rounded *)

Fixpoint terms (t : evaluation) : list nat :=
  match t with
  | Product k => [k]
  | Fma k r => k :: terms r
  | Add l r => terms l ++ terms r
  end.

(* It sums the terms 0 .. n-1, each once. *)
Definition evaluates (t : evaluation) (n : nat) : Prop := Permutation (terms t) (seq 0 n).

Section Evaluation.

Variables (fl : R -> R) (a b : nat -> R).

Fixpoint computed (t : evaluation) : R :=
  match t with
  | Product k => fl (a k * b k)
  | Fma k r => fl (a k * b k + computed r)
  | Add l r => fl (computed l + computed r)
  end.

End Evaluation.

(* The exact sum and the sum of absolute values, over a list of terms *)
Definition list_sum (f : nat -> R) (l : list nat) : R := fold_right (fun k s => f k + s) 0 l.

Lemma list_sum_app f l l' : list_sum f (l ++ l') = list_sum f l + list_sum f l'.
Proof. induction l as [|k l IH]; simpl; [|rewrite IH]; lra. Qed.

Lemma list_sum_permutation f l l' : Permutation l l' -> list_sum f l = list_sum f l'.
Proof. induction 1; simpl; lra. Qed.

Lemma list_sum_seq f n : list_sum f (seq 0 n) = sum (K := reals) n f.
Proof.
  induction n as [|n IH]; [reflexivity|]. rewrite seq_S, list_sum_app, IH. simpl. lra.
Qed.

Lemma list_sum_nonneg f l : (forall k, 0 <= f k) -> 0 <= list_sum f l.
Proof. intros H. induction l as [|k l IH]; simpl; [lra|]. specialize (H k). lra. Qed.

(* ---- powers of 1 + u ------------------------------------------------------------------------- *)

Section Bound.

Variables u tiny : R.
Hypothesis u_positive : 0 <= u.
Hypothesis tiny_positive : 0 <= tiny.

Lemma power_ge_1 n : 1 <= (1 + u) ^ n.
Proof. induction n as [|n IH]; simpl; [lra|]. nra. Qed.

Lemma power_mono m n : (m <= n)%nat -> (1 + u) ^ m <= (1 + u) ^ n.
Proof. intros H. apply Rle_pow; [lra|assumption]. Qed.

(* (1 + u)^n - 1 <= gamma_n (Higham, lemma 3.1) *)
Lemma power_gamma n : INR n * u < 1 -> (1 + u) ^ n - 1 <= gamma u n.
Proof.
  intros Hn. unfold gamma.
  assert (H : (1 + u) ^ n * (1 - INR n * u) <= 1).
  { clear Hn. induction n as [|n IH]; [simpl; lra|]. rewrite S_INR. simpl pow.
    pose proof (power_ge_1 n) as Hp. pose proof (pos_INR n) as Hi.
    assert (0 <= INR n * u) by now apply Rmult_le_pos.
    assert (0 <= (1 + u) ^ n * (u * (INR n * u + u))).
    { apply Rmult_le_pos; [lra|]. apply Rmult_le_pos; lra. }
    nra. }
  apply (Rmult_le_reg_r (1 - INR n * u)); [lra|].
  unfold Rdiv. rewrite Rmult_minus_distr_r, Rmult_assoc, Rinv_l by lra. lra.
Qed.

Lemma power_exp n : (1 + u) ^ n <= exp (INR n * u).
Proof.
  induction n as [|n IH]; [simpl; rewrite Rmult_0_l, exp_0; lra|].
  rewrite S_INR. simpl pow. replace ((INR n + 1) * u) with (u + INR n * u) by ring.
  rewrite exp_plus. pose proof (exp_ineq1_le u). pose proof (power_ge_1 n).
  apply Rmult_le_compat; lra.
Qed.

Lemma power_below_9 n : INR n * u < 1 -> (1 + u) ^ (2 * n) <= 9.
Proof.
  intros Hn. assert (H : (1 + u) ^ n <= 3).
  { pose proof (power_exp n). pose proof exp_le_3. pose proof (exp_increasing (INR n * u) 1 Hn).
    lra. }
  rewrite Nat.mul_comm, pow_mult. pose proof (power_ge_1 n). simpl. nra.
Qed.

(* ---- the induction --------------------------------------------------------------------------- *)

Variables (fl : R -> R) (a b : nat -> R).

Let term (k : nat) : R := a k * b k.
Let exact (t : evaluation) : R := list_sum term (terms t).
Let size (t : evaluation) : R := list_sum (fun k => Rabs (term k)) (terms t).
Let count (t : evaluation) : nat := length (terms t).

Lemma size_nonneg t : 0 <= size t.
Proof. apply list_sum_nonneg. intros k. apply Rabs_pos. Qed.

Lemma count_positive t : (1 <= count t)%nat.
Proof.
  induction t as [k|k r IH|l IHl r IHr]; unfold count in *; simpl; try lia.
  rewrite app_length. lia.
Qed.

Lemma Rabs_add3 p q r s : Rabs p <= q -> Rabs r <= s -> Rabs (p + r) <= q + s.
Proof. intros H H'. pose proof (Rabs_triang p r). lra. Qed.

(* -- flushing -- *)

(* After f flushes: the value is free of tiny, the error is not. *)
Definition flushed (t : evaluation) : Prop :=
  exists f : nat, (f <= count t)%nat /\ (computed fl a b t <> 0 -> (f < count t)%nat) /\
    Rabs (computed fl a b t) <= (1 + u) ^ count t * size t /\
    Rabs (computed fl a b t - exact t) <= ((1 + u) ^ count t - 1) * size t + INR f * tiny.

(* One operation whose exact result z is near y, given what its operands were *)
Lemma flushing_step z y n s f :
  flushing u tiny fl -> 0 <= s ->
  Rabs z <= (1 + u) ^ n * s -> Rabs (z - y) <= ((1 + u) ^ n - 1) * s + INR f * tiny ->
  (fl z = 0 /\ Rabs (fl z - y) <= ((1 + u) ^ S n - 1) * s + INR (S f) * tiny) \/
  (Rabs (fl z) <= (1 + u) ^ S n * s /\
   Rabs (fl z - y) <= ((1 + u) ^ S n - 1) * s + INR f * tiny).
Proof.
  intros [Hfl _] Hs Hz Hy. pose proof (power_ge_1 n) as Hp.
  assert (Hus : 0 <= u * ((1 + u) ^ n * s)) by (repeat apply Rmult_le_pos; lra).
  destruct (Hfl z) as [[H0 Ht]|H].
  - left. split; [exact H0|]. rewrite S_INR, H0. simpl pow.
    replace (0 - y) with (z - y + - z) by ring.
    eapply Rle_trans; [apply (Rabs_add3 _ _ _ tiny Hy); rewrite Rabs_Ropp; assumption|]. nra.
  - right. simpl pow. split.
    + replace (fl z) with (fl z - z + z) by ring.
      eapply Rle_trans; [apply (Rabs_add3 _ _ _ _ H Hz)|]. nra.
    + replace (fl z - y) with (fl z - z + (z - y)) by ring.
      eapply Rle_trans; [apply (Rabs_add3 _ _ _ _ H Hy)|]. nra.
Qed.

Lemma exact_operand k : Rabs (a k * b k) <= (1 + u) ^ 0 * Rabs (term k).
Proof. unfold term. simpl. lra. Qed.

(* a bound for one subtree, in a larger tree *)
Lemma size_grows m n s : (m <= n)%nat -> 0 <= s ->
  (1 + u) ^ m * s <= (1 + u) ^ n * s /\ ((1 + u) ^ m - 1) * s <= ((1 + u) ^ n - 1) * s.
Proof. intros H Hs. pose proof (power_mono m n H). split; nra. Qed.

Lemma fl_zero : flushing u tiny fl -> forall z, fl z = 0 -> fl 0 = 0.
Proof. intros [_ H] z Hz. rewrite <- Hz at 1. now rewrite H. Qed.

(* What a tree computes is something rounded. *)
Lemma computed_is_rounded t : exists z, computed fl a b t = fl z.
Proof. destruct t; simpl; eauto. Qed.

Lemma flushing_bound t : flushing u tiny fl -> flushed t.
Proof.
  intros Hfl. pose proof Hfl as [_ Hidem].
  induction t as [k|k r (f & Hf & Hf0 & Hc & He)|l (f1 & Hf1 & Hz1 & Hc1 & He1) r
    (f2 & Hf2 & Hz2 & Hc2 & He2)].
  - (* one product *)
    unfold flushed, exact, size, count, list_sum. simpl computed. simpl terms. simpl length.
    simpl fold_right. rewrite !Rplus_0_r. unfold term.
    assert (H1 : Rabs (a k * b k) <= (1 + u) ^ 0 * Rabs (a k * b k)) by (simpl; lra).
    assert (H2 : Rabs (a k * b k - a k * b k) <=
                 ((1 + u) ^ 0 - 1) * Rabs (a k * b k) + INR 0 * tiny).
    { rewrite Rminus_diag_eq by reflexivity. rewrite Rabs_R0. simpl. lra. }
    destruct (flushing_step _ _ 0 _ 0 Hfl (Rabs_pos _) H1 H2) as [[H0 H]|[Hc He]].
    + exists 1%nat. split; [lia|]. split; [intros E; now destruct E|]. split; [|exact H].
      rewrite H0, Rabs_R0. apply Rmult_le_pos; [apply pow_le; lra|apply Rabs_pos].
    + exists 0%nat. split; [lia|]. split; [lia|]. split; assumption.
  - (* a fused multiply-add *)
    pose proof (size_nonneg r) as Hs. pose proof (Rabs_pos (term k)) as Hk.
    pose proof (power_ge_1 (count r)) as Hp.
    assert (Hn : count (Fma k r) = S (count r)) by reflexivity.
    assert (Hsize : size (Fma k r) = Rabs (term k) + size r) by reflexivity.
    assert (Hexact : exact (Fma k r) = term k + exact r) by reflexivity.
    assert (H1 : Rabs (a k * b k + computed fl a b r) <= (1 + u) ^ count r * size (Fma k r)).
    { rewrite Hsize. fold (term k).
      eapply Rle_trans; [apply (Rabs_add3 _ _ _ _ (Rle_refl _) Hc)|]. nra. }
    assert (H2 : Rabs (a k * b k + computed fl a b r - exact (Fma k r)) <=
                 ((1 + u) ^ count r - 1) * size (Fma k r) + INR f * tiny).
    { rewrite Hexact, Hsize. fold (term k).
      replace (term k + computed fl a b r - (term k + exact r))
        with (computed fl a b r - exact r) by ring.
      nra. }
    assert (Hs' : 0 <= size (Fma k r)) by apply size_nonneg.
    unfold flushed. rewrite Hn. simpl computed.
    destruct (flushing_step _ _ _ _ _ Hfl Hs' H1 H2) as [[H0 H]|[Hc' He']].
    + exists (S f). split; [lia|]. split; [intros E; now destruct E|]. split; [|exact H].
      rewrite H0, Rabs_R0. apply Rmult_le_pos; [apply pow_le; lra|exact Hs'].
    + exists f. split; [lia|]. split; [lia|]. split; assumption.
  - (* an addition *)
    pose proof (size_nonneg l) as Hsl. pose proof (size_nonneg r) as Hsr.
    pose proof (count_positive l) as Hl. pose proof (count_positive r) as Hr.
    assert (Hn : count (Add l r) = (count l + count r)%nat) by apply app_length.
    assert (Hsize : size (Add l r) = size l + size r) by apply list_sum_app.
    assert (Hexact : exact (Add l r) = exact l + exact r) by apply list_sum_app.
    set (n := (count l + count r - 1)%nat).
    destruct (size_grows (count l) n (size l)) as [Gl Gl']; [unfold n; lia|assumption|].
    destruct (size_grows (count r) n (size r)) as [Gr Gr']; [unfold n; lia|assumption|].
    assert (H1 : Rabs (computed fl a b l + computed fl a b r) <= (1 + u) ^ n * size (Add l r)).
    { rewrite Hsize. eapply Rle_trans; [apply (Rabs_add3 _ _ _ _ Hc1 Hc2)|]. lra. }
    assert (H2 : Rabs (computed fl a b l + computed fl a b r - exact (Add l r)) <=
                 ((1 + u) ^ n - 1) * size (Add l r) + INR (f1 + f2) * tiny).
    { rewrite Hsize, Hexact, plus_INR.
      replace (computed fl a b l + computed fl a b r - (exact l + exact r))
        with (computed fl a b l - exact l + (computed fl a b r - exact r)) by ring.
      eapply Rle_trans; [apply (Rabs_add3 _ _ _ _ He1 He2)|]. lra. }
    assert (Hs' : 0 <= size (Add l r)) by apply size_nonneg.
    unfold flushed. rewrite Hn. replace (count l + count r)%nat with (S n) by (unfold n; lia).
    simpl computed.
    destruct (Req_dec (computed fl a b l) 0) as [Zl|Zl], (Req_dec (computed fl a b r) 0) as [Zr|Zr].
    + (* 0 + 0: nothing is rounded, nothing flushed *)
      assert (H0 : fl (computed fl a b l + computed fl a b r) = 0).
      { rewrite Zl, Zr, Rplus_0_l. destruct (computed_is_rounded l) as [z Hz].
        rewrite Hz in Zl. exact (fl_zero Hfl z Zl). }
      exists (f1 + f2)%nat. rewrite H0. split; [unfold n; lia|]. split; [intros E; now destruct E|].
      rewrite Rabs_R0. split; [apply Rmult_le_pos; [apply pow_le; lra|exact Hs']|].
      rewrite Zl, Zr, Rplus_0_l in H2.
      eapply Rle_trans; [exact H2|]. destruct (size_grows n (S n) (size (Add l r))); [lia|trivial|
        lra].
    + (* 0 + r: r is already rounded *)
      assert (H0 : fl (computed fl a b l + computed fl a b r) = computed fl a b r).
      { rewrite Zl, Rplus_0_l. destruct (computed_is_rounded r) as [z ->]. apply Hidem. }
      rewrite Zl, Rplus_0_l in H1, H2. rewrite H0. specialize (Hz2 Zr).
      exists (f1 + f2)%nat. split; [unfold n; lia|]. split; [unfold n; lia|].
      destruct (size_grows n (S n) (size (Add l r))) as [G G']; [lia|trivial|]. split; lra.
    + assert (H0 : fl (computed fl a b l + computed fl a b r) = computed fl a b l).
      { rewrite Zr, Rplus_0_r. destruct (computed_is_rounded l) as [z ->]. apply Hidem. }
      rewrite Zr, Rplus_0_r in H1, H2. rewrite H0. specialize (Hz1 Zl).
      exists (f1 + f2)%nat. split; [unfold n; lia|]. split; [unfold n; lia|].
      destruct (size_grows n (S n) (size (Add l r))) as [G G']; [lia|trivial|]. split; lra.
    + specialize (Hz1 Zl). specialize (Hz2 Zr).
      destruct (flushing_step _ _ _ _ _ Hfl Hs' H1 H2) as [[H0 H]|[Hc' He']].
      * exists (S (f1 + f2)). split; [unfold n; lia|]. split; [intros E; now destruct E|].
        split; [|exact H]. rewrite H0, Rabs_R0.
        apply Rmult_le_pos; [apply pow_le; lra|exact Hs'].
      * exists (f1 + f2)%nat. split; [unfold n; lia|]. split; [unfold n; lia|]. split; assumption.
Qed.

(* -- gradual underflow -- *)

Fixpoint operations (t : evaluation) : nat :=
  match t with
  | Product _ => 1
  | Fma _ r => S (operations r)
  | Add l r => S (operations l + operations r)
  end.

Lemma operations_count t : (operations t <= 2 * count t - 1)%nat.
Proof.
  induction t as [k|k r IH|l IHl r IHr].
  - unfold count. simpl. lia.
  - change (count (Fma k r)) with (S (count r)). pose proof (count_positive r). simpl operations.
    lia.
  - assert (Hn : count (Add l r) = (count l + count r)%nat) by apply app_length.
    pose proof (count_positive l). pose proof (count_positive r). simpl operations. lia.
Qed.

(* what w operations can lose to underflow, and later roundings make of it *)
Definition lost (w : nat) : R := INR w * (u * tiny) * (1 + u) ^ w.

Lemma lost_nonneg w : 0 <= lost w.
Proof.
  unfold lost. pose proof (power_ge_1 w). pose proof (pos_INR w).
  repeat apply Rmult_le_pos; lra.
Qed.

Lemma lost_add v w : lost v + lost w <= lost (v + w).
Proof.
  unfold lost. rewrite plus_INR.
  pose proof (power_mono v (v + w) ltac:(lia)) as Hv.
  pose proof (power_mono w (v + w) ltac:(lia)) as Hw.
  assert (0 <= INR v * (u * tiny)) by (pose proof (pos_INR v); repeat apply Rmult_le_pos; lra).
  assert (0 <= INR w * (u * tiny)) by (pose proof (pos_INR w); repeat apply Rmult_le_pos; lra).
  nra.
Qed.

Lemma lost_next w : (1 + u) * lost w + u * tiny <= lost (S w).
Proof.
  unfold lost. rewrite S_INR. simpl pow. pose proof (power_ge_1 w).
  assert (0 <= u * tiny) by now apply Rmult_le_pos.
  assert (1 <= (1 + u) * (1 + u) ^ w) by nra. nra.
Qed.

Lemma gradual_step z y n s w :
  gradual u tiny fl -> 0 <= s ->
  Rabs z <= (1 + u) ^ n * s + lost w -> Rabs (z - y) <= ((1 + u) ^ n - 1) * s + lost w ->
  Rabs (fl z) <= (1 + u) ^ S n * s + lost (S w) /\
  Rabs (fl z - y) <= ((1 + u) ^ S n - 1) * s + lost (S w).
Proof.
  intros Hfl Hs Hz Hy. specialize (Hfl z). pose proof (lost_next w) as Hl.
  pose proof (lost_nonneg w) as Hl0. simpl pow.
  assert (Hu : u * Rabs z <= u * ((1 + u) ^ n * s + lost w)) by now apply Rmult_le_compat_l.
  split.
  - replace (fl z) with (fl z - z + z) by ring.
    eapply Rle_trans; [apply (Rabs_add3 _ _ _ _ Hfl Hz)|]. lra.
  - replace (fl z - y) with (fl z - z + (z - y)) by ring.
    eapply Rle_trans; [apply (Rabs_add3 _ _ _ _ Hfl Hy)|]. lra.
Qed.

Lemma gradual_bound t :
  gradual u tiny fl ->
  Rabs (computed fl a b t) <= (1 + u) ^ count t * size t + lost (operations t) /\
  Rabs (computed fl a b t - exact t) <= ((1 + u) ^ count t - 1) * size t + lost (operations t).
Proof.
  intros Hfl. induction t as [k|k r [Hc He]|l [Hc1 He1] r [Hc2 He2]].
  - apply (gradual_step _ _ 0 _ 0); trivial; [apply size_nonneg| |];
      unfold exact, size, lost; simpl; fold (term k); rewrite ?Rplus_0_r.
    + lra.
    + rewrite Rminus_diag_eq, Rabs_R0 by reflexivity. lra.
  - pose proof (size_nonneg r) as Hs. pose proof (Rabs_pos (term k)) as Hk.
    pose proof (power_ge_1 (count r)) as Hp.
    assert (Hsize : size (Fma k r) = Rabs (term k) + size r) by reflexivity.
    assert (Hexact : exact (Fma k r) = term k + exact r) by reflexivity.
    assert (H0 : 0 <= ((1 + u) ^ count r - 1) * Rabs (term k)) by (apply Rmult_le_pos; lra).
    apply (gradual_step (term k + computed fl a b r) _ (count r) _ (operations r)); trivial;
      [apply size_nonneg| |]; rewrite Hsize, ?Hexact.
    + eapply Rle_trans; [apply (Rabs_add3 _ _ _ _ (Rle_refl _) Hc)|]. lra.
    + replace (term k + computed fl a b r - (term k + exact r))
        with (computed fl a b r - exact r) by ring.
      lra.
  - pose proof (size_nonneg l) as Hsl. pose proof (size_nonneg r) as Hsr.
    pose proof (count_positive l) as Hl. pose proof (count_positive r) as Hr.
    assert (Hn : count (Add l r) = (count l + count r)%nat) by apply app_length.
    assert (Hsize : size (Add l r) = size l + size r) by apply list_sum_app.
    assert (Hexact : exact (Add l r) = exact l + exact r) by apply list_sum_app.
    set (n := (count l + count r - 1)%nat).
    destruct (size_grows (count l) n (size l)) as [Gl Gl']; [unfold n; lia|assumption|].
    destruct (size_grows (count r) n (size r)) as [Gr Gr']; [unfold n; lia|assumption|].
    pose proof (lost_add (operations l) (operations r)) as Hlost.
    rewrite Hn. replace (count l + count r)%nat with (S n) by (unfold n; lia).
    apply (gradual_step (computed fl a b l + computed fl a b r) _ n _
             (operations l + operations r)); trivial;
      [apply size_nonneg| |]; rewrite Hsize, ?Hexact.
    + eapply Rle_trans; [apply (Rabs_add3 _ _ _ _ Hc1 Hc2)|]. lra.
    + replace (computed fl a b l + computed fl a b r - (exact l + exact r))
        with (computed fl a b l - exact l + (computed fl a b r - exact r)) by ring.
      eapply Rle_trans; [apply (Rabs_add3 _ _ _ _ He1 He2)|]. lra.
Qed.

(* With u <= 1/32, all that is lost to underflow is at most n tiny. *)
Lemma lost_small n w :
  u <= 1 / 32 -> INR n * u < 1 -> (1 <= n)%nat -> (w <= 2 * n - 1)%nat -> lost w <= INR n * tiny.
Proof.
  intros Hu Hn Hn1 Hw. unfold lost.
  assert (H9 : (1 + u) ^ w <= 9).
  { eapply Rle_trans; [apply (power_mono w (2 * n)); lia|now apply power_below_9]. }
  assert (Hw2 : INR w <= 2 * INR n).
  { replace 2 with (INR 2) by reflexivity. rewrite <- mult_INR. apply le_INR. lia. }
  pose proof (pos_INR w) as Hw0. pose proof (power_ge_1 w) as Hp.
  assert (H1 : INR w * (1 + u) ^ w <= 2 * INR n * 9).
  { apply Rmult_le_compat; lra. }
  assert (H2 : INR w * (1 + u) ^ w * u <= 2 * INR n * 9 * (1 / 32)).
  { apply Rmult_le_compat; try lra. apply Rmult_le_pos; lra. }
  pose proof (pos_INR n).
  replace (INR w * (u * tiny) * (1 + u) ^ w) with (INR w * (1 + u) ^ w * u * tiny) by ring.
  apply Rmult_le_compat_r; lra.
Qed.

(* B3: any order of the operations, fused or not *)
Theorem product_bound t n :
  u <= 1 / 32 -> gradual u tiny fl \/ flushing u tiny fl -> evaluates t n -> INR n * u < 1 ->
  Rabs (computed fl a b t - sum (K := reals) n (fun k => a k * b k)) <=
  gamma u n * sum (K := reals) n (fun k => Rabs (a k * b k)) + INR n * tiny.
Proof.
  intros Hu Hfl Ht Hn.
  assert (Hcount : count t = n).
  { unfold count. rewrite (Permutation_length Ht). apply seq_length. }
  assert (Hexact : exact t = sum (K := reals) n (fun k => a k * b k)).
  { unfold exact. rewrite (list_sum_permutation _ _ _ Ht). apply list_sum_seq. }
  assert (Hsize : size t = sum (K := reals) n (fun k => Rabs (a k * b k))).
  { unfold size. rewrite (list_sum_permutation _ _ _ Ht). apply list_sum_seq. }
  rewrite <- Hexact, <- Hsize.
  assert (Hg : ((1 + u) ^ n - 1) * size t <= gamma u n * size t).
  { apply Rmult_le_compat_r; [apply size_nonneg|now apply power_gamma]. }
  destruct Hfl as [Hfl|Hfl].
  - destruct (gradual_bound t Hfl) as [_ H]. rewrite Hcount in H.
    pose proof (lost_small n (operations t) Hu Hn) as Hlost.
    pose proof (count_positive t). pose proof (operations_count t). rewrite Hcount in *.
    specialize (Hlost ltac:(lia) ltac:(lia)). lra.
  - destruct (flushing_bound t Hfl) as (f & Hf & _ & _ & H). rewrite Hcount in *.
    assert (INR f * tiny <= INR n * tiny).
    { apply Rmult_le_compat_r; [assumption|now apply le_INR]. }
    lra.
Qed.

End Bound.
