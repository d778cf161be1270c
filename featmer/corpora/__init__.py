"""Corpus readers: each knows one corpus's files, splits, labels and known-bad clips, and returns segments."""

from featmer.corpora._joining import join_corpora
from featmer.corpora._mmsa import convert_mmsa, load_mmsa_features
from featmer.corpora.c_expr_db import load_c_expr_db
from featmer.corpora.ch_sims import load_ch_sims
from featmer.corpora.crema_d import load_crema_d
from featmer.corpora.dailydialog import load_dailydialog
from featmer.corpora.demo import load_demo
from featmer.corpora.emobank import load_emobank, load_emobank_ratings
from featmer.corpora.emocontext import load_emocontext
from featmer.corpora.emodb import load_emodb
from featmer.corpora.emorynlp import load_emorynlp
from featmer.corpora.emotionlines import load_emotionlines
from featmer.corpora.goemotions import load_goemotions
from featmer.corpora.iemocap import load_iemocap
from featmer.corpora.manifest import load_manifest
from featmer.corpora.meisd import load_meisd
from featmer.corpora.meld import load_meld
from featmer.corpora.meld_feats import load_meld_feats, load_meld_feats_features
from featmer.corpora.mer2023 import load_mer2023
from featmer.corpora.mosei import load_mosei
from featmer.corpora.mosi import load_mosi, load_mosi_features
from featmer.corpora.mosi_mmsa import load_mosi_mmsa
from featmer.corpora.msp_podcast import load_msp_podcast
from featmer.corpora.ravdess import load_ravdess, load_ravdess_au
from featmer.corpora.semeval2018 import load_semeval2018

CORPORA = {
    "c_expr_db": load_c_expr_db,
    "ch_sims": load_ch_sims,
    "crema_d": load_crema_d,
    "dailydialog": load_dailydialog,
    "demo": load_demo,
    "emobank": load_emobank,
    "emocontext": load_emocontext,
    "emodb": load_emodb,
    "emorynlp": load_emorynlp,
    "emotionlines": load_emotionlines,
    "goemotions": load_goemotions,
    "iemocap": load_iemocap,
    "manifest": load_manifest,
    "meisd": load_meisd,
    "meld": load_meld,
    "meld_feats": load_meld_feats,
    "mer2023": load_mer2023,
    "mosei": load_mosei,
    "mosi": load_mosi,
    "mosi_mmsa": load_mosi_mmsa,
    "msp_podcast": load_msp_podcast,
    "ravdess": load_ravdess,
    "semeval2018": load_semeval2018,
}

__all__ = [
    "CORPORA",
    "convert_mmsa",
    "join_corpora",
    "load_c_expr_db",
    "load_ch_sims",
    "load_crema_d",
    "load_dailydialog",
    "load_demo",
    "load_emobank",
    "load_emobank_ratings",
    "load_emocontext",
    "load_emodb",
    "load_emorynlp",
    "load_emotionlines",
    "load_goemotions",
    "load_iemocap",
    "load_manifest",
    "load_meisd",
    "load_meld",
    "load_meld_feats",
    "load_meld_feats_features",
    "load_mer2023",
    "load_mmsa_features",
    "load_mosei",
    "load_mosi",
    "load_mosi_features",
    "load_mosi_mmsa",
    "load_msp_podcast",
    "load_ravdess",
    "load_ravdess_au",
    "load_semeval2018",
]
