"""Every packaged format, on invented rows of the archive's form."""

import gzip
import json

import pytest

from cxrbench.config import format_names, load_format, load_vocabulary
from cxrbench.data.tables import choose_format, read_label_table

CHEXPERT14 = load_vocabulary("chexpert14").names
NAMES = ",".join(CHEXPERT14)


def cells(**stated):
    """The 14 cells of CheXpert's labels, those that are not stated blank."""
    return ",".join(stated.get(name.replace(" ", "_"), "") for name in CHEXPERT14)


CHEXPERT = f"""Path,Sex,Age,Frontal/Lateral,AP/PA,{NAMES}
CheXpert-v1.0-small/train/patient00001/study1/view1_frontal.jpg,Female,68,Frontal,AP,{cells(No_Finding="1.0")}
CheXpert-v1.0-small/train/patient00002/study2/view1_frontal.jpg,Male,90,Frontal,PA,{cells(Edema="-1.0", Fracture="1.0")}
CheXpert-v1.0-small/train/patient00002/study2/view2_lateral.jpg,Male,90,Lateral,,{cells(Edema="-1.0")}
CheXpert-v1.0-small/train/patient00003/study1/view1_frontal.jpg,Unknown,0,Frontal,AP,{cells(Edema="0.0")}
"""

PLUS = """path_to_image,frontal_lateral,ap_pa,deid_patient_id,patient_report_date_order,age,sex,race,split
train/patient1/study1/view1_frontal.jpg,Frontal,AP,patient1,1,61.0,Female,Other,train
train/patient1/study1/view2_lateral.jpg,Lateral,,patient1,1,61.0,Female,Other,train
valid/patient2/study1/view1_frontal.jpg,Frontal,PA,patient2,1,49.0,Male,Other,valid
"""
PLUS_LABELS = "\n".join(
    json.dumps({"path_to_image": path, **dict.fromkeys(CHEXPERT14), **stated})
    for path, stated in [
        ("train/patient1/study1/view1_frontal.jpg", {"Edema": 1.0, "Fracture": -1.0}),
        ("train/patient1/study1/view2_lateral.jpg", {"Edema": 1.0}),
        ("valid/patient2/study1/view1_frontal.jpg", {"No Finding": 1.0}),
    ]
)

MIMIC = {
    "mimic-cxr-2.0.0-metadata.csv.gz": "dicom_id,subject_id,study_id,ViewPosition,Rows,StudyDate\n"
    "02aa804e-bde0afdd,10000032,50414267,PA,3056,21800506\n"
    "174413ec-4ec4c1f7,10000032,50414267,LATERAL,3056,21800506\n"
    "2a2277a9-b0ded155,10000764,57375967,AP,2544,21321015\n",
    "mimic-cxr-2.0.0-split.csv.gz": "dicom_id,study_id,subject_id,split\n"
    "2a2277a9-b0ded155,57375967,10000764,validate\n"
    "02aa804e-bde0afdd,50414267,10000032,train\n"
    "174413ec-4ec4c1f7,50414267,10000032,train\n",
    "mimic-cxr-2.0.0-chexpert.csv.gz": f"subject_id,study_id,{NAMES}\n"
    f"10000032,50414267,{cells(No_Finding='1.0')}\n10000764,57375967,{cells(Edema='-1.0', Pneumonia='1.0')}\n",
    "patients.csv.gz": "subject_id,gender,anchor_age\n10000032,F,52\n10000764,M,86\n",
}

PADCHEST = """,ImageID,ImageDir,StudyDate_DICOM,PatientID,PatientBirth,PatientSex_DICOM,Projection,Labels
0,2053_a.png,0,20140915,839860488694292331637988235681460987,1930.0,F,PA,"['normal']"
1,2053_b.png,0,20140915,839860488694292331637988235681460987,1930.0,F,L,"['normal']"
2,1055_c.png,1,20161004,244685263100771469051214745085012030119,1945,M,AP_horizontal,"['pleural effusion', ' kyphosis']"
3,1055_d.png,12,20161004,244685263100771469051214745085012030120,,O,PA,nan
4,1055_e.png,12,20161004,244685263100771469051214745085012030121,1950.0,M,PA,"['pneumonia', ' exclude']"
5,1055_f.png,12,20161004,244685263100771469051214745085012030122,1950.0,M,PA,"['unchanged']"
6,1055_g.png,12,20161004,244685263100771469051214745085012030123,1950.0,M,PA,"['pseudonodule', 'azygos lobe', '']"
"""

VINDR = """image_id,class_name,class_id,rad_id,x_min,y_min,x_max,y_max
50a4,No finding,14,R11,,,,
50a4,No finding,14,R7,,,,
50a4,Cardiomegaly,3,R10,691.0,1375.0,1653.0,1831.0
9a50,Cardiomegaly,3,R8,691.0,1375.0,1653.0,1831.0
9a50,Cardiomegaly,3,R9,690.0,1370.0,1650.0,1830.0
9a50,Nodule/Mass,8,R9,557.0,2352.0,675.0,2484.0
9a50,Nodule/Mass,8,R9,57.0,352.0,75.0,484.0
9a50,No finding,14,R10,,,,
"""

PHYSIONET = load_vocabulary("vindr").names
PHYSIONET_LINE = {
    name: ",".join("1" if finding == name else "0" for finding in PHYSIONET) for name in ("Edema", "No finding")
}

RSNA = """patientId,x,y,width,height,Target
0004,,,,,0
0043,264.0,152.0,213.0,379.0,1
0043,562.0,152.0,256.0,453.0,1
"""
RSNA_HEADERS = ",PatientAge,PatientID,PatientSex,ViewPosition\n0,43,0004,F,AP\n1,148,0043,M,PA\n2,9,0099,M,PA\n"

CHESTX_DET = json.dumps(
    [
        {"file_name": "36199.png", "syms": [], "boxes": [], "polygons": []},
        {"file_name": "36302.png", "syms": ["Effusion", "Diffuse Nodule"], "boxes": [[1, 2, 3, 4]] * 2, "polygons": []},
    ]
)

COVID = """patientid,offset,sex,age,finding,went_icu,view,modality,filename
2,0,M,65,COVID-19,N,PA,X-ray,a.jpeg
2,3,M,65,"COVID-19, ARDS",Y,AP Supine,X-ray,b.jpeg
3,0,F,,Pneumonia/Viral/SARS,,L,X-ray,c.jpeg
4,0,F,74,COVID-19,,Axial,CT,d.jpeg
5,0,,80,todo,,PA,X-ray,e.jpeg
6,0,F,30,No Finding,,PA,X-ray,f.jpeg
"""

GOOGLE_HEADER = (
    "Image Index,Finding Labels,Follow-up #,Patient ID,Patient Age,Patient Gender,View Position,"
    "OriginalImage[Width,Height],OriginalImagePixelSpacing[x,y],Fracture,Pneumothorax,Airspace opacity,"
    "Nodule or mass,Set Id\n"
)
GOOGLE = GOOGLE_HEADER + (
    "00000013_008.png,No Finding,8,13,60,M,AP,3056,2544,0.139,0.139,NO,NO,YES,NO,test\n"
    "00000211_006.png,Mass,6,211,54,M,PA,2500,2048,0.168,0.168,YES,NO,NO,NO,validation\n"
)

NIH_HEADER = GOOGLE_HEADER.partition(",Fracture")[0] + ",\n"
NIH = NIH_HEADER + (
    "00000013_005.png,Emphysema|Pleural_Thickening,5,13,060Y,M,AP,3056,2544,0.139,0.139,\n"
    "00000017_001.png,No_Finding,1,17,411Y,F,PA,2500,2048,0.168,0.168,\n"
)

FILES = {
    "nih": {"Data_Entry_2017.csv": NIH},
    "nih-google": {"four_findings_expert_labels_test_labels.csv": GOOGLE},
    "chexpert": {"train.csv": CHEXPERT},
    "chexpert-plus": {"df_chexpert_plus_240401.csv": PLUS, "impression_fixed.json": PLUS_LABELS},
    "mimic-cxr-jpg": MIMIC,
    "padchest": {"PADCHEST_chest_x_ray_images_labels_160K_01.02.19.csv.gz": PADCHEST},
    "vindr": {"train.csv": VINDR},
    "vindr-physionet": {
        "image_labels_train.csv": f"image_id,rad_id,{','.join(PHYSIONET)}\n"
        + "".join(f"one,R{i},{PHYSIONET_LINE['Edema' if i < 3 else 'No finding']}\n" for i in (1, 2, 3)),
        "image_labels_test.csv": f"image_id,{','.join(PHYSIONET)}\ntwo,{PHYSIONET_LINE['No finding']}\n",
    },
    "rsna": {"stage_2_train_labels.csv": RSNA, "stage_2_train_images_dicom_headers.csv.gz": RSNA_HEADERS},
    "siim": {
        "train-rle.csv": "ImageId, EncodedPixels\n1.2.27,-1\n1.2.28,557374 2 1015 8\n1.2.28,14 1002 20\n1.2.29, -1\n"
    },
    "openi": {
        "indiana_projections.csv": "uid,filename,projection\n1,1_IM-1.dcm.png,Frontal\n1,1_IM-2.dcm.png,Lateral\n"
        "2,2_IM-1.dcm.png,Frontal\n3,3_IM-1.dcm.png,Frontal\n",
        "indiana_reports.csv": "uid,MeSH,Problems,findings\n1,normal,normal,None.\n"
        "2,Cardiomegaly/borderline,Cardiomegaly;Pulmonary Artery,Big.\n3,No Indexing,No Indexing,\n",
    },
    "brax": {
        "master_spreadsheet_update.csv": f"DicomPath,PngPath,PatientID,PatientSex,PatientAge,AccessionNumber,{NAMES},"
        f"ViewPosition\na.dcm,images/a.png,p1,F,85 or more,1,{cells(Edema='1')},PA\n"
        f"b.dcm,images/b.png,p2,O,80-84,2,{cells(No_Finding='1')},\nc.dcm,images/c.png,p2,M,50,2,{cells()},L\n"
    },
    "chestx-det": {"ChestX_Det_train.json": CHESTX_DET, "ChestX_Det_test.json": CHESTX_DET.replace("36", "46")},
    "covid-chestxray": {"metadata.csv": COVID},
    "folders": {f"part/{name}.png": "" for name in ("NORMAL/1", "NORMAL/2", "COVID/1")},
    "kermany": {
        f"train/{name}.jpeg": ""
        for name in ("NORMAL/IM-0115-0001", "NORMAL/NORMAL2-IM-0927-0001", "PNEUMONIA/person12_bacteria_46")
    },
}

EXPECTED = {
    "nih": [
        {"image_id": "00000013_005.png", "age_years": 60.0, "Emphysema": 1, "Pleural_Thickening": 1, "No Finding": 0},
        {"patient_id": "17", "age_years": None, "Emphysema": 0, "No Finding": 1},
    ],
    "nih-google": [
        {"patient_id": "13", "Fracture": 0, "Airspace opacity": 1, "part": "test"},
        {"patient_id": "211", "Fracture": 1, "Nodule or mass": 0, "part": "val"},
    ],
    "chexpert": [
        {"patient_id": "patient00001", "sex": "F", "No Finding": 1, "Edema": 0, "part": "train"},
        {"view": "PA", "age_years": 90.0, "No Finding": 0, "Edema": None, "Fracture": 1, "Pneumonia": 0},
        {"sex": None, "age_years": 0.0, "Edema": 0},
    ],
    "chexpert-plus": [
        {"patient_id": "patient1", "age_years": 61.0, "Edema": 1, "Fracture": None, "Pneumonia": 0, "part": "train"},
        {"patient_id": "patient2", "view": "PA", "No Finding": 1, "Edema": 0, "part": "val"},
    ],
    "mimic-cxr-jpg": [
        {"image_id": "02aa804e-bde0afdd", "patient_id": "10000032", "sex": "F", "No Finding": 1, "part": "train"},
        {"view": "AP", "sex": "M", "Edema": None, "Pneumonia": 1, "No Finding": 0, "part": "val"},
    ],
    "padchest": [
        {"image_id": "1055_c.png", "age_years": 71.0, "sex": "M", "view": "AP", "pleural effusion": 1, "kyphosis": 1},
        {"patient_id": "244685263100771469051214745085012030120", "sex": None, "age_years": None, "normal": None},
        {"image_id": "1055_f.png", "normal": None, "pneumonia": None},
        {"image_id": "1055_g.png", "normal": 0, "pseudonodule": 1, "nodule": 0},
        {"image_id": "2053_a.png", "age_years": 84.0, "view": "PA", "normal": 1, "pneumonia": 0},
    ],
    "vindr": [
        {"image_id": "50a4", "No finding": 1, "Cardiomegaly": 0},
        {"image_id": "9a50", "No finding": 0, "Cardiomegaly": 1, "Nodule/Mass": 0, "Pneumothorax": 0},
    ],
    "vindr-physionet": [
        {"image_id": "one", "Edema": 1, "No finding": 0, "part": "train"},
        {"image_id": "two", "Edema": 0, "No finding": 1, "part": "test"},
    ],
    "rsna": [
        {"image_id": "0004", "age_years": 43.0, "sex": "F", "view": "AP", "Pneumonia": 0},
        {"image_id": "0043", "age_years": None, "sex": "M", "view": "PA", "Pneumonia": 1},
    ],
    "siim": [
        {"image_id": "1.2.27", "Pneumothorax": 0},
        {"image_id": "1.2.28", "Pneumothorax": 1},
        {"image_id": "1.2.29", "Pneumothorax": 0},
    ],
    "openi": [
        {"image_id": "1_IM-1.dcm.png", "patient_id": "1", "view": "FRONTAL", "normal": 1, "Cardiomegaly": 0},
        {"image_id": "2_IM-1.dcm.png", "normal": 0, "Cardiomegaly": 1, "Mass": 0},
        {"image_id": "3_IM-1.dcm.png", "normal": None, "Cardiomegaly": None},
    ],
    "brax": [
        {"image_id": "images/a.png", "age_years": 85.0, "sex": "F", "view": "PA", "Edema": 1, "No Finding": 0},
        {"patient_id": "p2", "age_years": 82.0, "sex": None, "view": None, "Edema": 0, "No Finding": 1},
    ],
    "chestx-det": [
        {"image_id": "36199.png", "Effusion": 0, "Diffuse Nodule": 0, "part": "train"},
        {"image_id": "36302.png", "Effusion": 1, "Diffuse Nodule": 1, "Nodule": 0, "part": "train"},
        {"image_id": "46199.png", "Effusion": 0, "part": "test"},
        {"image_id": "46302.png", "Effusion": 1, "part": "test"},
    ],
    "covid-chestxray": [
        {"image_id": "a.jpeg", "patient_id": "2", "view": "PA", "COVID-19": 1, "ARDS": 0, "No Finding": 0},
        {"image_id": "b.jpeg", "view": "AP", "COVID-19": 1, "ARDS": 1},
        {"image_id": "e.jpeg", "sex": None, "COVID-19": None, "No Finding": None},
        {"image_id": "f.jpeg", "COVID-19": 0, "No Finding": 1},
    ],
    "folders": [
        {"image_id": "part/COVID/1.png", "COVID": 1, "NORMAL": 0},
        {"image_id": "part/NORMAL/1.png", "COVID": 0, "NORMAL": 1},
        {"image_id": "part/NORMAL/2.png", "COVID": 0, "NORMAL": 1},
    ],
    "kermany": [
        {"patient_id": "IM-0115", "Pneumonia": 0, "No Finding": 1},
        {"patient_id": "NORMAL2-IM-0927", "Pneumonia": 0},
        {"patient_id": "person12", "Pneumonia": 1, "No Finding": 0},
    ],
}


@pytest.fixture
def written(tmp_path):
    """Write the files of an archive, packed where their name says so; returns the folder."""

    def write(name):
        for file, text in FILES[name].items():
            path = tmp_path / name / file
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(gzip.compress(text.encode()) if path.suffix == ".gz" else text.encode())
        return tmp_path / name

    return write


def test_every_packaged_format_is_tested():
    assert set(format_names()) == set(FILES) == set(EXPECTED)


@pytest.mark.parametrize("name", list(FILES))
def test_invented_rows_of_an_archive_are_read(written, name):
    read = read_label_table([written(name)], form=load_format(name))
    table = read.table if read.parts is None else read.table.join(read.parts, on="image_id", maintain_order="left")
    rows = table.rows(named=True)
    assert len(rows) == len(EXPECTED[name])
    for row, expected in zip(rows, EXPECTED[name], strict=True):
        assert {key: row[key] for key in expected} == expected


@pytest.mark.parametrize("name", [name for name in FILES if name not in {"folders", "kermany"}])
def test_an_archive_is_recognised_by_its_columns_and_that_is_said(written, name):
    folder = written(name)
    form, note = choose_format([folder])
    assert form == load_format(name)
    assert note.startswith(f"format {name}, recognised by the columns of {next(iter(FILES[name]))}")
    read = read_label_table([folder])
    assert read.notes[0] == note


@pytest.mark.parametrize("name", format_names())
def test_a_packaged_format_says_what_it_is_and_where_it_is_described(name):
    form = load_format(name)
    assert form.summary
    assert form.source or name == "folders"


def test_votes_of_readers_are_kept(written):
    votes = read_label_table([written("vindr")], form=load_format("vindr")).votes
    assert votes.filter(finding="Cardiomegaly").rows(named=True) == [
        {"image_id": "50a4", "finding": "Cardiomegaly", "present": 1, "readers": 3},
        {"image_id": "9a50", "finding": "Cardiomegaly", "present": 2, "readers": 3},
    ]
