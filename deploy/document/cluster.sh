# Autopilotクラスタ作成
gcloud container clusters create-auto tekutoko-cluster \
  --region=asia-northeast1 \
  --release-channel=regular

# kubectl設定
gcloud container clusters get-credentials tekutoko-cluster \
  --region=asia-northeast1
