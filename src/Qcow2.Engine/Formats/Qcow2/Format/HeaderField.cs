namespace Qcow2.Engine.Formats.Qcow2.Format;

/// <summary>Where each field of the header lies, in bytes from the start of the file (spec: "Header").</summary>
internal static class HeaderField
{
    internal const int Magic = 0;
    internal const int Version = 4;
    internal const int BackingFileOffset = 8;
    internal const int BackingFileSize = 16;
    internal const int ClusterBits = 20;
    internal const int Size = 24;
    internal const int CryptMethod = 32;
    internal const int L1Size = 36;
    internal const int L1TableOffset = 40;
    internal const int RefcountTableOffset = 48;
    internal const int RefcountTableClusters = 56;
    internal const int SnapshotCount = 60;
    internal const int SnapshotsOffset = 64;
    internal const int IncompatibleFeatures = 72;
    internal const int CompatibleFeatures = 80;
    internal const int AutoclearFeatures = 88;
    internal const int RefcountOrder = 96;
    internal const int HeaderLength = 100;
    internal const int CompressionType = 104;
}
