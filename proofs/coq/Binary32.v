(* SPDX-License-Identifier: GPL-3.0-or-later *)
(*
 * Binary32.v - rules B1 to B3 in binary32, and the bound of one attention score.
 *
 * States    Flocq's binary32, rounding to nearest, is a machine of Rounding.v: with gradual
 *           underflow, and flushing to 0 before or after rounding. In it
 *             binary32_product_bound     B3 for exact operands;
 *             binary32_inexact_operands  B2 and B3 for operands that are off;
 *             causal_score_bound         scale * (q . k), as ref/systems/bounded.c bounds it;
 *             folded_score_bound         the same with scale folded into q;
 *             one_attention_score        (7)'s exponent, sC - SiLU(sU), from q, k and u.
 * Model     radix 2, 24 bits, smallest normal 2^-126, ties any way; no overflow; the function SiLU
 *           comes with an error bound of its own (B4).
 * C file    ref/systems/bounded.c: rounded, product_error, dot, scale, subtract_runs.
 *)
From Coq Require Import Reals Lra.
From Coquelicot Require Import Coquelicot.
From Flocq Require Import Core Relative FTZ.
Require Import Castle.Definitions Castle.RealFunctions Castle.Rounding.
Open Scope R_scope.

Definition u32 : R := bpow radix2 (-24).
Definition tiny32 : R := bpow radix2 (-126).

(* Round to nearest, ties by `choice`: binary32; with results below tiny32 flushed before rounding
 * (Flocq's FTZ format); and flushed after rounding. *)
Definition binary32 (choice : Z -> bool) : R -> R :=
  round radix2 (FLT_exp (-149) 24) (Znearest choice).
Definition binary32_flush_before (choice : Z -> bool) : R -> R :=
  round radix2 (FTZ_exp (-149) 24) (Zrnd_FTZ (Znearest choice)).
Definition binary32_flush_after (choice : Z -> bool) (z : R) : R :=
  let r := round radix2 (FLX_exp 24) (Znearest choice) z in
  if Rlt_bool (Rabs r) tiny32 then 0 else r.

Inductive is_binary32 : (R -> R) -> Prop :=
  | Gradual choice : is_binary32 (binary32 choice)
  | Flush_before choice : is_binary32 (binary32_flush_before choice)
  | Flush_after choice : is_binary32 (binary32_flush_after choice).

Lemma half_ulp : / 2 * bpow radix2 (- (24) + 1) = u32.
Proof. unfold u32. simpl. lra. Qed.

Lemma u32_tiny32 : / 2 * bpow radix2 (-149) = u32 * tiny32.
Proof. unfold u32, tiny32. rewrite <- bpow_plus. simpl. lra. Qed.

Lemma u32_bounds : 0 <= u32 <= 1 / 32.
Proof. unfold u32. simpl. lra. Qed.

Lemma tiny32_positive : 0 <= tiny32.
Proof. apply bpow_ge_0. Qed.

Theorem binary32_is_gradual choice : gradual u32 tiny32 (binary32 choice).
Proof.
  intros z. destruct (error_N_FLT radix2 (-149) 24 ltac:(reflexivity) choice z)
    as (eps & eta & He & Hn & _ & H).
  unfold binary32. rewrite H. rewrite half_ulp in He. rewrite u32_tiny32 in Hn.
  replace (z * (1 + eps) + eta - z) with (eps * z + eta) by ring.
  eapply Rle_trans; [apply Rabs_triang|]. rewrite Rabs_mult.
  pose proof (Rmult_le_compat_r (Rabs z) _ _ (Rabs_pos z) He). lra.
Qed.

Lemma FLX_error choice z :
  Rabs (round radix2 (FLX_exp 24) (Znearest choice) z - z) <= u32 * Rabs z.
Proof. rewrite <- half_ulp. now apply relative_error_N_FLX. Qed.

Theorem binary32_flush_before_is_flushing choice :
  flushing u32 tiny32 (binary32_flush_before choice).
Proof.
  assert (prec : Prec_gt_0 24) by reflexivity.
  split; intros z; unfold binary32_flush_before.
  - destruct (Rlt_le_dec (Rabs z) tiny32) as [H|H].
    + left. split; [|lra]. apply round_FTZ_small; [apply valid_rnd_N|exact H].
    + right. rewrite round_FTZ_FLX; [apply FLX_error|exact prec|exact H].
  - apply round_generic; [apply valid_rnd_FTZ, valid_rnd_N|].
    apply generic_format_round; [now apply FTZ_exp_valid|apply valid_rnd_FTZ, valid_rnd_N].
Qed.

Theorem binary32_flush_after_is_flushing choice :
  flushing u32 tiny32 (binary32_flush_after choice).
Proof.
  assert (prec : Prec_gt_0 24) by reflexivity.
  assert (Hmono : forall z, tiny32 <= Rabs z ->
            tiny32 <= Rabs (round radix2 (FLX_exp 24) (Znearest choice) z)).
  { intros z H. apply abs_round_ge_generic; [now apply FLX_exp_valid|apply valid_rnd_N| |exact H].
    apply generic_format_bpow. unfold FLX_exp. lia. }
  split; intros z; unfold binary32_flush_after; set (r := round _ _ _ z).
  - destruct (Rlt_bool_spec (Rabs r) tiny32) as [H|H].
    + left. split; [reflexivity|]. destruct (Rle_lt_dec tiny32 (Rabs z)) as [Hz|Hz]; [|lra].
      specialize (Hmono z Hz). fold r in Hmono. lra.
    + right. apply FLX_error.
  - destruct (Rlt_bool_spec (Rabs r) tiny32) as [H|H].
    + rewrite round_0 by apply valid_rnd_N. rewrite Rabs_R0.
      destruct (Rlt_bool_spec 0 tiny32); reflexivity.
    + replace (round radix2 (FLX_exp 24) (Znearest choice) r) with r.
      * destruct (Rlt_bool_spec (Rabs r) tiny32); [lra|reflexivity].
      * symmetry. apply round_generic; [apply valid_rnd_N|].
        apply generic_format_round; [now apply FLX_exp_valid|apply valid_rnd_N].
Qed.

Lemma machine32 fl : is_binary32 fl -> gradual u32 tiny32 fl \/ flushing u32 tiny32 fl.
Proof.
  intros [choice|choice|choice].
  - left. apply binary32_is_gradual.
  - right. apply binary32_flush_before_is_flushing.
  - right. apply binary32_flush_after_is_flushing.
Qed.

(* ---- the rules as ref/systems/bounded.c computes them ---------------------------------------- *)

(* B1, `rounded`: one rounding of a result of that size that is off by e *)
Definition rounded (size e : R) : R := e + u32 * (size + e) + tiny32.

(* B2, `product_error`, from sizes and errors of two operands *)
Definition product_error (sa ea sb eb : R) : R := sa * eb + ea * sb + ea * eb.

(* B3, `dot`: n products of total size s whose operands' errors add up to e *)
Definition dot_error (n : nat) (s e : R) : R := e + gamma u32 n * (s + e) + INR n * tiny32.

Notation total n f := (sum (K := reals) n f) (only parsing).

Theorem rounded_bound fl z y size e :
  is_binary32 fl -> Rabs (z - y) <= e -> Rabs y <= size ->
  Rabs (fl z - y) <= rounded size e.
Proof.
  intros Hfl Hz Hy. pose proof u32_bounds as Hu. pose proof tiny32_positive as Ht.
  assert (Hsize : Rabs z <= size + e).
  { replace z with (z - y + y) by ring. pose proof (Rabs_triang (z - y) y). lra. }
  assert (Hu1 : u32 * Rabs z <= u32 * (size + e)) by (apply Rmult_le_compat_l; lra).
  assert (Hu0 : 0 <= u32 * (size + e)).
  { apply Rmult_le_pos; [lra|]. pose proof (Rabs_pos z). lra. }
  replace (fl z - y) with (fl z - z + (z - y)) by ring.
  eapply Rle_trans; [apply Rabs_triang|]. unfold rounded.
  destruct (machine32 fl Hfl) as [H|[H _]]; specialize (H z).
  - assert (u32 * tiny32 <= 1 * tiny32) by (apply Rmult_le_compat_r; lra). lra.
  - destruct H as [[-> H]|H]; [|lra]. rewrite Rminus_0_l, Rabs_Ropp. lra.
Qed.

(* B3: n products of exact operands, in any order, fused or not *)
Theorem binary32_product_bound fl a b t n :
  is_binary32 fl -> evaluates t n -> INR n * u32 < 1 ->
  Rabs (computed fl a b t - total n (fun k => a k * b k)) <=
  gamma u32 n * total n (fun k => Rabs (a k * b k)) + INR n * tiny32.
Proof.
  intros Hfl Ht Hn. pose proof u32_bounds as [Hu0 Hu1].
  apply product_bound; trivial; [apply tiny32_positive|now apply machine32].
Qed.

Lemma total_le n (f g : nat -> R) :
  (forall k, (k < n)%nat -> f k <= g k) -> total n f <= total n g.
Proof.
  induction n as [|n IH]; intros H; [apply Rle_refl|].
  change (total n f + f n <= total n g + g n). pose proof (H n ltac:(lia)).
  specialize (IH ltac:(intros; apply H; lia)). lra.
Qed.

Lemma total_Rabs n (f : nat -> R) : Rabs (total n f) <= total n (fun k => Rabs (f k)).
Proof.
  induction n as [|n IH].
  - change (Rabs 0 <= 0). rewrite Rabs_R0. apply Rle_refl.
  - change (Rabs (total n f + f n) <= total n (fun k => Rabs (f k)) + Rabs (f n)).
    pose proof (Rabs_triang (total n f) (f n)). lra.
Qed.

Lemma gamma_positive n : INR n * u32 < 1 -> 0 <= gamma u32 n.
Proof.
  intros Hn. pose proof u32_bounds. unfold gamma. apply Rmult_le_pos.
  - apply Rmult_le_pos; [apply pos_INR|lra].
  - left. apply Rinv_0_lt_compat. lra.
Qed.

(* B2: what is multiplied is off, a' from a and b' from b. *)
Lemma product_error_bound a a' sa ea b b' sb eb :
  Rabs a <= sa -> Rabs b <= sb -> Rabs (a' - a) <= ea -> Rabs (b' - b) <= eb ->
  Rabs (a' * b' - a * b) <= product_error sa ea sb eb.
Proof.
  intros Ha Hb Hea Heb. unfold product_error.
  replace (a' * b' - a * b) with (a * (b' - b) + (a' - a) * b + (a' - a) * (b' - b)) by ring.
  eapply Rle_trans; [apply Rabs_triang|].
  assert (H1 : Rabs (a * (b' - b)) <= sa * eb).
  { rewrite Rabs_mult. apply Rmult_le_compat; trivial; apply Rabs_pos. }
  assert (H2 : Rabs ((a' - a) * b) <= ea * sb).
  { rewrite Rabs_mult. apply Rmult_le_compat; trivial; apply Rabs_pos. }
  assert (H3 : Rabs ((a' - a) * (b' - b)) <= ea * eb).
  { rewrite Rabs_mult. apply Rmult_le_compat; trivial; apply Rabs_pos. }
  pose proof (Rabs_triang (a * (b' - b)) ((a' - a) * b)). lra.
Qed.

(* B2 and B3 *)
Theorem binary32_inexact_operands fl (a a' sa ea b b' sb eb : nat -> R) t n :
  is_binary32 fl -> evaluates t n -> INR n * u32 < 1 ->
  (forall k, (k < n)%nat -> Rabs (a k) <= sa k /\ Rabs (a' k - a k) <= ea k) ->
  (forall k, (k < n)%nat -> Rabs (b k) <= sb k /\ Rabs (b' k - b k) <= eb k) ->
  Rabs (computed fl a' b' t - total n (fun k => a k * b k)) <=
  dot_error n (total n (fun k => sa k * sb k))
              (total n (fun k => product_error (sa k) (ea k) (sb k) (eb k))).
Proof.
  intros Hfl Ht Hn Ha Hb. pose proof (gamma_positive n Hn) as Hg.
  pose proof (binary32_product_bound fl a' b' t n Hfl Ht Hn) as H.
  set (S := total n (fun k => sa k * sb k)).
  set (E := total n (fun k => product_error (sa k) (ea k) (sb k) (eb k))).
  assert (HE : Rabs (total n (fun k => a' k * b' k) - total n (fun k => a k * b k)) <= E).
  { rewrite <- (sum_sub (K := reals)). eapply Rle_trans; [apply total_Rabs|].
    apply total_le. intros k Hk. apply product_error_bound; now apply Ha || apply Hb. }
  assert (HS : total n (fun k => Rabs (a' k * b' k)) <= S + E).
  { unfold S, E. rewrite <- (sum_add (K := reals)). apply total_le. intros k Hk.
    destruct (Ha k Hk) as [Ha1 Ha2], (Hb k Hk) as [Hb1 Hb2].
    pose proof (product_error_bound _ _ _ _ _ _ _ _ Ha1 Hb1 Ha2 Hb2) as Hp.
    assert (Hab : Rabs (a k * b k) <= sa k * sb k).
    { rewrite Rabs_mult. apply Rmult_le_compat; trivial; apply Rabs_pos. }
    change (Rabs (a' k * b' k) <=
      sa k * sb k + product_error (sa k) (ea k) (sb k) (eb k)).
    replace (a' k * b' k) with (a' k * b' k - a k * b k + a k * b k) by ring.
    pose proof (Rabs_triang (a' k * b' k - a k * b k) (a k * b k)). lra. }
  assert (Hgs : gamma u32 n * total n (fun k => Rabs (a' k * b' k)) <= gamma u32 n * (S + E))
    by now apply Rmult_le_compat_l.
  unfold dot_error.
  replace (computed fl a' b' t - total n (fun k => a k * b k))
    with (computed fl a' b' t - total n (fun k => a' k * b' k) +
          (total n (fun k => a' k * b' k) - total n (fun k => a k * b k))) by ring.
  eapply Rle_trans; [apply Rabs_triang|]. lra.
Qed.

(* ---- one attention score --------------------------------------------------------------------- *)

(* What a dot product of that size, off by e, is off by once multiplied by the exact factor `by` *)
Definition scaled_error (by_ size e : R) : R := rounded (size * Rabs by_) (Rabs by_ * e).

Theorem scaled_bound fl (scale y z size e : R) :
  is_binary32 fl -> Rabs (z - y) <= e -> Rabs y <= size ->
  Rabs (fl (scale * z) - scale * y) <= scaled_error scale size e.
Proof.
  intros Hfl Hz Hy. apply rounded_bound; trivial.
  - replace (scale * z - scale * y) with (scale * (z - y)) by ring. rewrite Rabs_mult.
    apply Rmult_le_compat_l; [apply Rabs_pos|assumption].
  - rewrite Rabs_mult, (Rmult_comm size). apply Rmult_le_compat_l; [apply Rabs_pos|assumption].
Qed.

(* (5): the dot product in any order, then the factor *)
Theorem causal_score_bound fl (scale : R) (q k : nat -> R) t d :
  is_binary32 fl -> evaluates t d -> INR d * u32 < 1 ->
  let s := total d (fun i => Rabs (q i * k i)) in
  Rabs (fl (scale * computed fl q k t) - scale * total d (fun i => q i * k i)) <=
  scaled_error scale s (dot_error d s 0).
Proof.
  intros Hfl Ht Hd s. apply scaled_bound; trivial.
  - unfold dot_error. rewrite Rplus_0_l, Rplus_0_r. now apply binary32_product_bound.
  - apply total_Rabs.
Qed.

(* (5) with the factor folded into q first, where that does not underflow: one rounding more for
 * every term, and no underflow of the factor's own. *)
Theorem folded_score_bound fl (scale : R) (q q' k : nat -> R) t d :
  is_binary32 fl -> evaluates t d -> INR d * u32 < 1 ->
  (forall i, (i < d)%nat -> Rabs (q' i - scale * q i) <= u32 * Rabs (scale * q i)) ->
  let s := Rabs scale * total d (fun i => Rabs (q i * k i)) in
  Rabs (computed fl q' k t - scale * total d (fun i => q i * k i)) <=
  dot_error d s (u32 * s).
Proof.
  intros Hfl Ht Hd Hq s.
  pose proof (binary32_inexact_operands fl (fun i => scale * q i) q'
    (fun i => Rabs (scale * q i)) (fun i => u32 * Rabs (scale * q i)) k k
    (fun i => Rabs (k i)) (fun _ => 0) t d Hfl Ht Hd) as H.
  assert (Hs : total d (fun i => Rabs (scale * q i) * Rabs (k i)) = s).
  { unfold s. rewrite <- (sum_mul_l (K := reals)). apply sum_ext. intros i _.
    change (Rabs (scale * q i) * Rabs (k i) = Rabs scale * Rabs (q i * k i)).
    rewrite !Rabs_mult. ring. }
  assert (He : total d (fun i => product_error (Rabs (scale * q i)) (u32 * Rabs (scale * q i))
                                               (Rabs (k i)) 0) = u32 * s).
  { rewrite <- Hs, <- (sum_mul_l (K := reals)). apply sum_ext. intros i _.
    unfold product_error. simpl carrier. simpl mul. ring. }
  assert (Hdot : total d (fun i => scale * q i * k i) = scale * total d (fun i => q i * k i)).
  { rewrite <- (sum_mul_l (K := reals)). apply sum_ext. intros i _. simpl. ring. }
  cbv beta in H. rewrite Hs, He, Hdot in H. apply H; intros i Hi.
  - split; [apply Rle_refl|now apply Hq].
  - split; [apply Rle_refl|]. rewrite Rminus_diag_eq, Rabs_R0 by reflexivity. apply Rle_refl.
Qed.

(* ---- SiLU, and the whole score --------------------------------------------------------------- *)

(* |SiLU'| <= 5/4 (its largest value is 1.0998..) *)
Lemma silu_slope_bound z : Rabs (silu_slope z) <= 5 / 4.
Proof.
  unfold silu_slope, sigmoid. set (e := exp (- z)).
  assert (He : 0 < e) by apply exp_pos.
  assert (Hslope : / (1 + e) * (1 + z * (1 - / (1 + e))) = (1 + e + z * e) / (1 + e) ^ 2)
    by (field; lra).
  rewrite Hslope. assert (Hp : 0 < (1 + e) ^ 2) by (apply pow_lt; lra).
  assert (H : - (5 / 4 * (1 + e) ^ 2) <= 1 + e + z * e <= 5 / 4 * (1 + e) ^ 2).
  { destruct (Rle_lt_dec 0 z) as [Hz|Hz].
    - (* e exp z = 1 and exp z >= 1 + z + z^2/2 *)
      assert (H1 : e * exp z = 1) by (unfold e; rewrite <- exp_plus, Rplus_opp_l; apply exp_0).
      pose proof (exp_above_series z Hz) as H2.
      assert (H3 : 0 <= z ^ 3 / 6 + z ^ 4 / 24).
      { pose proof (pow_le z 3 Hz). pose proof (pow_le z 4 Hz). lra. }
      assert (H4 : e * (1 + z + z ^ 2 / 2) <= 1).
      { rewrite <- H1. apply Rmult_le_compat_l; lra. }
      assert (H5 : 0 <= z * e) by (apply Rmult_le_pos; lra).
      assert (H6 : 0 <= e * (z - 3) ^ 2) by (apply Rmult_le_pos; [lra|apply pow2_ge_0]).
      simpl in *. split; nra.
    - assert (H1 : - z <= e) by (pose proof (exp_ineq1_le (- z)); unfold e; lra).
      assert (H2 : - z * e <= e * e) by (apply Rmult_le_compat_r; lra).
      assert (H3 : z * e < 0) by nra.
      simpl. split; nra. }
  apply Rabs_le. split.
  - apply (Rmult_le_reg_r ((1 + e) ^ 2)); [assumption|]. unfold Rdiv at 2.
    rewrite Rmult_assoc, Rinv_l by lra. lra.
  - apply (Rmult_le_reg_r ((1 + e) ^ 2)); [assumption|]. unfold Rdiv at 1.
    rewrite Rmult_assoc, Rinv_l by lra. lra.
Qed.

Lemma silu_moves y z : Rabs (silu z - silu y) <= 5 / 4 * Rabs (z - y).
Proof.
  destruct (MVT_gen silu y z silu_slope) as (m & _ & H).
  - intros r _. apply silu_derivative.
  - intros r _. apply derivable_continuous_pt. exists (silu_slope r).
    apply is_derive_Reals, silu_derivative.
  - rewrite H, Rabs_mult. apply Rmult_le_compat_r; [apply Rabs_pos|apply silu_slope_bound].
Qed.

(* (7)'s exponent, sC - SiLU(sU). c' and z are the computed scores, off by ec and eu
 * (causal_score_bound, scaled_bound with binary32_inexact_operands); p is the kernel's SiLU(z),
 * off by ef. *)
Theorem attention_score_bound fl (sC sU c' z p ec eu ef : R) :
  is_binary32 fl -> Rabs (c' - sC) <= ec -> Rabs (z - sU) <= eu -> Rabs (p - silu z) <= ef ->
  Rabs (fl (c' - p) - (sC - silu sU)) <= rounded (Rabs (sC - silu sU)) (ec + (5 / 4 * eu + ef)).
Proof.
  intros Hfl Hc Hz Hp. apply rounded_bound; [assumption| |apply Rle_refl].
  replace (c' - p - (sC - silu sU)) with (c' - sC + - (silu z - silu sU + (p - silu z))) by ring.
  pose proof (silu_moves sU z) as Hs.
  pose proof (Rabs_triang (c' - sC) (- (silu z - silu sU + (p - silu z)))) as H1.
  pose proof (Rabs_triang (silu z - silu sU) (p - silu z)) as H2.
  rewrite Rabs_Ropp in H1. lra.
Qed.

(* One attention score in binary32, from inputs to exponent. The lookahead key u is off by eku, as
 * it comes from a cache or from D; dot products in any order, the factor last. *)
Definition score_error (d : nat) (scale sizeC sizeU errorU ef size : R) : R :=
  rounded size (scaled_error scale sizeC (dot_error d sizeC 0) +
                (5 / 4 * scaled_error scale sizeU (dot_error d sizeU errorU) + ef)).

Theorem one_attention_score fl (scale : R) (q k u u' eku : nat -> R) tC tU d (p ef : R) :
  is_binary32 fl -> evaluates tC d -> evaluates tU d -> INR d * u32 < 1 ->
  (forall i, (i < d)%nat -> Rabs (u' i - u i) <= eku i) ->
  let sC := scale * total d (fun i => q i * k i) in
  let sU := scale * total d (fun i => q i * u i) in
  let c' := fl (scale * computed fl q k tC) in
  let z := fl (scale * computed fl q u' tU) in
  Rabs (p - silu z) <= ef ->
  Rabs (fl (c' - p) - (sC - silu sU)) <=
  score_error d scale (total d (fun i => Rabs (q i * k i)))
    (total d (fun i => Rabs (q i) * Rabs (u i))) (total d (fun i => Rabs (q i) * eku i)) ef
    (Rabs (sC - silu sU)).
Proof.
  intros Hfl HC HU Hd Hu sC sU c' z Hp. apply (attention_score_bound fl sC sU c' z); trivial.
  - now apply causal_score_bound.
  - apply scaled_bound; trivial.
    + pose proof (binary32_inexact_operands fl q q (fun i => Rabs (q i)) (fun _ => 0)
        u u' (fun i => Rabs (u i)) eku tU d Hfl HU Hd) as H.
      assert (He : total d (fun i => product_error (Rabs (q i)) 0 (Rabs (u i)) (eku i)) =
                   total d (fun i => Rabs (q i) * eku i)).
      { apply sum_ext. intros i _. unfold product_error. simpl carrier. ring. }
      cbv beta in H. rewrite He in H. apply H; intros i Hi.
      * split; [apply Rle_refl|]. rewrite Rminus_diag_eq, Rabs_R0 by reflexivity. apply Rle_refl.
      * split; [apply Rle_refl|now apply Hu].
    + eapply Rle_trans; [apply total_Rabs|]. apply total_le. intros i _. rewrite Rabs_mult.
      apply Rle_refl.
Qed.
