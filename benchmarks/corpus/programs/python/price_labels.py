"""Prices and dates for a travel site, as each visitor's country writes them; Babel knows how."""

import random
from collections import Counter
from datetime import datetime, timedelta

from babel import Locale
from babel.dates import format_date, format_datetime
from babel.numbers import format_currency, format_decimal
from traffic.shape import arrivals, seed

LANGUAGES = (
    "en_GB de_DE fr_FR es_ES it_IT nl_NL pl_PL pt_BR en_US sv_SE da_DK nb_NO fi_FI cs_CZ sk_SK hu_HU ro_RO bg_BG "
    "el_GR tr_TR uk_UA ru_RU hr_HR sl_SI sr_RS lt_LT lv_LV et_EE ja_JP ko_KR zh_CN zh_TW th_TH vi_VN id_ID ms_MY "
    "ar_EG he_IL fa_IR hi_IN bn_BD ta_IN te_IN mr_IN gu_IN kn_IN ml_IN pa_IN ur_PK ne_NP si_LK my_MM km_KH lo_LA "
    "ka_GE hy_AM az_AZ kk_KZ uz_UZ ky_KG mn_MN sq_AL mk_MK bs_BA is_IS ga_IE cy_GB eu_ES ca_ES gl_ES mt_MT lb_LU "
    "af_ZA zu_ZA sw_KE am_ET so_SO ha_NG yo_NG ig_NG fil_PH jv_ID tk_TM tg_TJ be_BY de_AT de_CH fr_CH it_CH en_AU "
    "en_IE en_IN en_ZA fr_BE fr_CA nl_BE es_MX es_AR es_CO pt_PT zh_HK ar_SA ar_MA sr_BA ro_MD ps_AF or_IN sd_PK"
).split()
CURRENCIES = "EUR USD GBP JPY CHF SEK PLN TRY INR BRL".split()
NOON = datetime(2026, 7, 1, 12, 0)


def language(draw):
    """Most visitors speak one of a few; somebody speaks each."""
    return LANGUAGES[min(int(draw.paretovariate(0.32)), 10**6) % len(LANGUAGES)]


def label(draw, language, number):
    """A journey as a page shows it."""
    locale = Locale.parse(language)
    leaves = NOON + timedelta(minutes=draw.randrange(200_000))
    return {
        "journey": number,
        "country": locale.get_territory_name(),
        "price": format_currency(draw.randint(1900, 290_000) / 100, draw.choice(CURRENCIES), locale=locale),
        "miles": format_decimal(draw.randrange(90_000), locale=locale),
        "leaves": format_datetime(leaves, "long", locale=locale),
        "returns": format_date(leaves + timedelta(days=9), "full", locale=locale),
    }


def main():
    draw, letters = random.Random(seed()), Counter()
    for number in arrivals(12):
        spoken = language(draw)
        letters[spoken] += sum(len(str(text)) for text in label(draw, spoken, number).values())


if __name__ == "__main__":
    main()
