(* SPDX-License-Identifier: GPL-3.0-or-later *)
(*
 * BackwardScores.v - Algorithm 3's contributions to dVC, dKC, dQC and dVU are the dense gradients.
 *
 * C file    ref/backward_blockwise.c: backward_block, through_SU, through_update.
 *)
Require Import Castle.Definitions Castle.Theorem1 Castle.Blocks Castle.Blockwise Castle.Backward
  Castle.Algorithm3 Castle.BackwardRun.
Require Import Ring.

Section Sums.

Context {K : ring}.
Add Ring K_ring : (laws K).
Variables (c : operator K) (x : inputs K) (L B : nat) (meets : nat -> nat -> bool).
Variables gate_slope penalty_slope : K -> K.
Variable dO : nat -> nat -> K.
Hypothesis B_positive : (1 <= B)%nat.
Hypothesis mask_ahead : ahead (allowed c).
Hypothesis sound : meets_is_sound L B (allowed c) meets.
Local Notation start := (Blocks.start L B).
Local Notation count := (Blocks.count L B).
Local Notation G := (Theorem1.G c x).
Local Notation T1 := (Theorem1.T1 c x).
Local Notation P := (Theorem1.P c x L).
Local Notation dS := (Backward.dS c x L dO).
Local Notation dSU := (Backward.dSU c x L penalty_slope dO).
Local Notation later := (BackwardRun.later c x L B penalty_slope dO).
Local Notation contribution := (BackwardRun.contribution c x L B meets gate_slope penalty_slope dO).
Local Notation contributions := (BackwardRun.contributions c x L B meets gate_slope penalty_slope
  dO).

(* A gradient of the six *)
Definition linear (f : inputs K -> nat -> nat -> K) : Prop :=
  (forall t k, f nothing t k = 0) /\ forall a b t k, f (plus a b) t k = f a t k + f b t k.

Lemma total_linear f n g t k : linear f -> f (total n g) t k = \sum_(m < n) f (g m) t k.
Proof.
  intros [H0 H]. induction n as [|n IH]; simpl total; [apply H0|]. now rewrite H, IH, sum_S.
Qed.

Lemma sum_of_contributions f t k :
  linear f ->
  f contributions t k =
  \sum_(j < count) \sum_(j <= i < count) f (contribution i j) t k.
Proof.
  intros Hf. unfold contributions, BackwardRun.contributions. rewrite total_linear by assumption.
  apply sum_ext. intros j Hj.
  rewrite total_linear by assumption. unfold range_sum.
  rewrite <- (sum_reverse (count - j)). apply sum_ext. intros m Hm. do 2 f_equal. lia.
Qed.

Ltac linear := split; intros; reflexivity.

(* Skipped gates are 0. *)
Lemma mask_skipped j e s r :
  meets j e = false -> (start j <= s < start (S j))%nat -> (start e <= r < start (S e))%nat ->
  allowed c s r = false.
Proof.
  intros Hm Hs Hr. destruct (allowed c s r) eqn:E; [|reflexivity].
  rewrite (sound j e s r) in Hm; try discriminate; trivial; now apply in_block_iff.
Qed.

Lemma G_skipped j e s r :
  meets j e = false -> (start j <= s < start (S j))%nat -> (start e <= r < start (S e))%nat ->
  G s r = 0.
Proof. intros. unfold Theorem1.G, masked. now rewrite (mask_skipped j e). Qed.

Lemma G_zero s r : (r <= s)%nat -> G s r = 0.
Proof.
  intros H. unfold Theorem1.G, masked. destruct (allowed c s r) eqn:E; [|reflexivity].
  apply mask_ahead in E. lia.
Qed.

Lemma P_zero t s : (t < s)%nat -> P t s = 0.
Proof.
  intros H. unfold Theorem1.P, masked, tril. destruct (Nat.leb_spec s t); [lia|reflexivity].
Qed.

Lemma dS_zero t s : (t < s)%nat -> dS t s = 0.
Proof. intros H. unfold Backward.dS. rewrite P_zero by assumption. ring. Qed.

Lemma dSU_zero t s : (t < s)%nat -> dSU t s = 0.
Proof. intros H. unfold Backward.dSU. rewrite dS_zero by assumption. ring. Qed.

Lemma rows_of_in b (A : nat -> nat -> K) t k :
  (start b <= t < start (S b))%nat -> rows_of L B b A t k = A t k.
Proof. intros H. unfold rows_of. now rewrite (proj2 (in_block_iff L B b t) H). Qed.

Section Token.

Variables b t k : nat.
Hypothesis b_small : (b < count)%nat.
Hypothesis t_in : (start b <= t < start (S b))%nat.

Let t_small : (t < L)%nat.
Proof. pose proof (start_le L B (S b)). lia. Qed.

Let start_b : (start b <= start (S b) <= L)%nat.
Proof. split; [apply start_mono; lia|apply start_le]. Qed.

Let start_last : start count = L.
Proof. apply start_count. assumption. Qed.

Lemma VC_dense : VC contributions t k = dVC c x L dO t k.
Proof.
  rewrite (sum_of_contributions VC) by linear.
  transitivity (\sum_(j < count) \sum_(j <= i < count)
    (if in_block L B j t then \sum_(start i <= r < start (S i)) P r t * dO r k else 0)).
  - apply sum_ext. intros j _. apply range_ext. intros i _. unfold contribution, block_gradients,
      update_gradients. destruct (i =? j), (meets j i), (j <? i), (meets j (i - 1));
      cbn [VC plus nothing through_gates]; unfold rows_of at 1; destruct (in_block L B j t); ring.
  - rewrite (pick_column L B B_positive b) by assumption.
    rewrite (from_block L B B_positive); [reflexivity|assumption|]. intros r Hr.
    rewrite P_zero by lia. ring.
Qed.

Lemma KC_dense : KC contributions t k = dKC c x L dO t k.
Proof.
  rewrite (sum_of_contributions KC) by linear.
  transitivity (\sum_(j < count) \sum_(j <= i < count)
    (if in_block L B j t
     then scale c * \sum_(start i <= r < start (S i)) dS r t * QC x r k else 0)).
  - apply sum_ext. intros j _. apply range_ext. intros i _. unfold contribution, block_gradients,
      update_gradients. destruct (i =? j), (meets j i), (j <? i), (meets j (i - 1));
      cbn [KC plus nothing through_gates]; unfold rows_of at 1; destruct (in_block L B j t); ring.
  - rewrite (pick_column L B B_positive b) by assumption. rewrite range_mul_l.
    rewrite (from_block L B B_positive); [reflexivity|assumption|]. intros r Hr.
    rewrite dS_zero by lia. ring.
Qed.

(* The key of s as query t finds it, by blocks: what came before T_b, and T_b up to t *)
Lemma key_split s :
  partial_key c x (start b) s k +
    \sum_(start b <= r < start (S b) | tril t r) G s r * VU x r k =
  \sum_(r < L | tril t r) G s r * VU x r k.
Proof.
  rewrite <- (range_from_0 L), (range_cat 0 (start b) L), (range_cat (start b) (start (S b)) L)
    by lia.
  rewrite (range_zero (start (S b)) L).
  2: { intros r Hr. unfold tril. destruct (Nat.leb_spec r t); [lia|reflexivity]. }
  rewrite (range_ext 0 (start b) _ (fun r => G s r * VU x r k)).
  2: { intros r Hr. unfold tril. destruct (Nat.leb_spec r t); [reflexivity|lia]. }
  rewrite range_from_0. unfold partial_key. ring.
Qed.

Lemma QC_dense : QC contributions t k = dQC c x L penalty_slope dO t k.
Proof.
  rewrite (sum_of_contributions QC) by linear.
  transitivity (\sum_(j < count) \sum_(j <= i < count) (if in_block L B i t then
    scale c * (\sum_(start j <= s < start (S j)) dS t s * KC x s k) +
    (if i =? j then 0 else
       scale c * \sum_(start j <= s < start (S j)) dSU t s * partial_key c x (start i) s k) +
    scale c * \sum_(start i <= r < start (S i) | tril t r)
      (\sum_(start j <= s < start (S j)) dSU t s * G s r) * VU x r k else 0)).
  - apply sum_ext. intros j _. apply range_ext. intros i _.
    unfold contribution, block_gradients, update_gradients.
    assert (HT : \sum_(start i <= r < start (S i))
        masked tril (fun t r => \sum_(start j <= s < start (S j)) dSU t s * G s r) t r * VU x r k =
      \sum_(start i <= r < start (S i) | tril t r)
        (\sum_(start j <= s < start (S j)) dSU t s * G s r) * VU x r k).
    { apply range_ext. intros r _. unfold masked. destruct (tril t r); ring. }
    destruct (meets j i) eqn:E.
    + destruct (i =? j), (j <? i), (meets j (i - 1)); cbn [QC plus nothing through_gates];
        unfold rows_of; destruct (in_block L B i t); rewrite ?HT; ring.
    + rewrite (range_zero (start i) (start (S i)) (fun r => if tril t r then _ else 0)).
      2: { intros r Hr. destruct (tril t r); [|reflexivity]. rewrite range_zero; [ring|].
           intros s Hs. rewrite (G_skipped j i) by assumption. ring. }
      destruct (i =? j), (j <? i), (meets j (i - 1)); cbn [QC plus nothing through_gates];
        unfold rows_of; destruct (in_block L B i t); ring.
  - rewrite (pick_row L B B_positive b) by assumption.
    set (key := fun s => \sum_(r < L | tril t r) G s r * VU x r k).
    rewrite (sum_ext (S b) _ (fun j => \sum_(start j <= s < start (S j))
      scale c * (dS t s * KC x s k + dSU t s * key s))).
    + rewrite (up_to_block L B).
      2: { intros s Hs. rewrite dS_zero, dSU_zero by lia. ring. }
      unfold dQC. rewrite sum_mul_l, sum_add. do 2 f_equal. unfold key.
      rewrite (sum_ext L _ (fun s => \sum_(r < L)
        dSU t s * (if tril t r then G s r * VU x r k else 0))) by (intros; now rewrite sum_mul_l).
      rewrite sum_exchange. apply sum_ext. intros r _. unfold dT1, masked, product.
      destruct (tril t r).
      * rewrite <- sum_mul_r. apply sum_ext. intros s _. ring.
      * rewrite sum_zero; [ring|]. intros s _. ring.
    + intros j Hj. rewrite range_mul_l, range_add.
      assert (Hdiagonal : \sum_(start b <= r < start (S b) | tril t r)
          (\sum_(start j <= s < start (S j)) dSU t s * G s r) * VU x r k =
        \sum_(start j <= s < start (S j))
          dSU t s * (\sum_(start b <= r < start (S b) | tril t r) G s r * VU x r k)).
      { rewrite (range_ext (start j) (start (S j)) _ (fun s =>
          \sum_(start b <= r < start (S b)) dSU t s * (if tril t r then G s r * VU x r k else 0)))
          by (intros; now rewrite range_mul_l).
        rewrite range_exchange. apply range_ext. intros r _. destruct (tril t r).
        - rewrite <- range_mul_r. apply range_ext. intros s _. ring.
        - rewrite range_zero; [reflexivity|]. intros s _. ring. }
      rewrite Hdiagonal.
      rewrite (range_ext (start j) (start (S j)) (fun s => dSU t s * key s) (fun s =>
        dSU t s * partial_key c x (start b) s k +
        dSU t s * (\sum_(start b <= r < start (S b) | tril t r) G s r * VU x r k))).
      2: { intros s Hs. unfold key. rewrite <- key_split. ring. }
      rewrite range_add. destruct (Nat.eqb_spec b j) as [<-|_]; [|ring].
      rewrite (range_zero (start b) (start (S b))
        (fun s => dSU t s * partial_key c x (start b) s k)); [ring|].
      intros s Hs. rewrite partial_key_own by (trivial; lia). ring.
Qed.

(* dSU^T QC over the queries from token r on, by blocks: T_b's, and the later blocks' *)
Lemma later_split s :
  scale c * (\sum_(start b <= q < start (S b) | tril q t) dSU q s * QC x q k) + later (S b) s k =
  scale c * (\sum_(q < L | tril q t) dSU q s * QC x q k).
Proof.
  rewrite <- (range_from_0 L), (range_cat 0 (start b) L), (range_cat (start b) (start (S b)) L)
    by lia.
  rewrite (range_zero 0 (start b)).
  2: { intros q Hq. unfold tril. destruct (Nat.leb_spec t q); [lia|reflexivity]. }
  rewrite (range_ext (start (S b)) L _ (fun q => dSU q s * QC x q k)).
  2: { intros q Hq. unfold tril. destruct (Nat.leb_spec t q); [reflexivity|lia]. }
  unfold later. ring.
Qed.

Lemma later_last s k' : later count s k' = 0.
Proof. unfold later. rewrite start_last, range_zero by (intros; lia). ring. Qed.

Lemma VU_dense : VU contributions t k = dVU c x L penalty_slope dO t k.
Proof.
  rewrite (sum_of_contributions VU) by linear.
  transitivity (\sum_(j < count) \sum_(j <= i < count) (if in_block L B i t then
      scale c * \sum_(start i <= q < start (S i) | tril q t)
        (\sum_(start j <= s < start (S j)) dSU q s * G s t) * QC x q k else 0) +
    \sum_(j < count) \sum_(j <= i < count) (if j <? i then if in_block L B (i - 1) t then
      \sum_(start j <= s < start (S j)) G s t * later i s k else 0 else 0)).
  - rewrite <- sum_add. apply sum_ext. intros j _. rewrite <- range_add. apply range_ext.
    intros i _. unfold contribution, block_gradients, update_gradients.
    assert (HT : \sum_(start i <= q < start (S i))
        masked tril (fun t r => \sum_(start j <= s < start (S j)) dSU t s * G s r) q t * QC x q k =
      \sum_(start i <= q < start (S i) | tril q t)
        (\sum_(start j <= s < start (S j)) dSU q s * G s t) * QC x q k).
    { apply range_ext. intros q _. unfold masked. destruct (tril q t); ring. }
    assert (HTskip : meets j i = false -> in_block L B i t = true ->
      \sum_(start i <= q < start (S i) | tril q t)
        (\sum_(start j <= s < start (S j)) dSU q s * G s t) * QC x q k = 0).
    { intros E Hi. apply in_block_iff in Hi. apply range_zero. intros q _.
      destruct (tril q t); [|reflexivity]. rewrite range_zero; [ring|]. intros s Hs.
      rewrite (G_skipped j i) by assumption. ring. }
    assert (HUskip : meets j (i - 1) = false -> in_block L B (i - 1) t = true ->
      \sum_(start j <= s < start (S j)) G s t * later i s k = 0).
    { intros E Hi. apply in_block_iff in Hi. apply range_zero. intros s Hs.
      rewrite (G_skipped j (i - 1)) by assumption. ring. }
    destruct (i =? j), (meets j i), (j <? i), (meets j (i - 1));
      cbn [VU plus nothing through_gates]; unfold rows_of;
      destruct (in_block L B i t), (in_block L B (i - 1) t);
      rewrite ?HT, ?HTskip, ?HUskip by reflexivity; ring.
  - rewrite (pick_row L B B_positive b) by assumption.
    rewrite (pick_updated_row L B B_positive b t (fun i j =>
      \sum_(start j <= s < start (S j)) G s t * later i s k)); trivial.
    2: { intros j. apply range_zero. intros s _. rewrite later_last. ring. }
    rewrite <- sum_add.
    rewrite (sum_ext (S b) _ (fun j => \sum_(start j <= s < start (S j))
      G s t * (scale c * \sum_(q < L | tril q t) dSU q s * QC x q k))).
    + rewrite (up_to_block L B) by (intros s Hs; rewrite G_zero by lia; ring).
      unfold dVU. rewrite <- sum_mul_l.
      rewrite (sum_ext L _ (fun s => \sum_(q < L)
        scale c * (if tril q t then G s t * (dSU q s * QC x q k) else 0))).
      2: { intros s _. rewrite <- !sum_mul_l. apply sum_ext. intros q _. destruct (tril q t); ring.
           }
      rewrite sum_exchange. apply sum_ext. intros q _. rewrite sum_mul_l. f_equal.
      unfold dT1, masked, product. destruct (tril q t).
      * rewrite <- sum_mul_r. apply sum_ext. intros s _. ring.
      * rewrite sum_zero; [ring|]. reflexivity.
    + intros j _.
      assert (Hblock : scale c * (\sum_(start b <= q < start (S b) | tril q t)
          (\sum_(start j <= s < start (S j)) dSU q s * G s t) * QC x q k) =
        \sum_(start j <= s < start (S j)) G s t *
          (scale c * \sum_(start b <= q < start (S b) | tril q t) dSU q s * QC x q k)).
      { rewrite <- range_mul_l.
        rewrite (range_ext (start j) (start (S j)) _ (fun s => \sum_(start b <= q < start (S b))
          scale c * (if tril q t then G s t * (dSU q s * QC x q k) else 0))).
        2: { intros s _. rewrite <- !range_mul_l. apply range_ext. intros q _.
             destruct (tril q t); ring. }
        rewrite range_exchange. apply range_ext. intros q _. rewrite range_mul_l. f_equal.
        destruct (tril q t).
        - rewrite <- range_mul_r. apply range_ext. intros s _. ring.
        - rewrite range_zero; reflexivity. }
      rewrite Hblock, <- range_add. apply range_ext. intros s _. rewrite <- later_split. ring.
Qed.

End Token.

End Sums.
