namespace Qcow2.Engine.Partitions.FileSystems;

/// <summary>BitLocker, also in its form for removable disks, which begins as a FAT volume.</summary>
internal static class BitLocker
{
    /// <summary>{4967d63b-2e29-4ad8-8399-f6a339e3d001}, in the order of bytes of the disk.</summary>
    private static ReadOnlySpan<byte> ToGoId => [0x3b, 0xd6, 0x67, 0x49, 0x29, 0x2e, 0xd8, 0x4a, 0x83, 0x99, 0xf6, 0xa3, 0x39, 0xe3, 0xd0, 0x01];

    /// <summary>Whether a boot sector is that of an encrypted volume, and thus no partition table.</summary>
    internal static bool IsBootSector(ReadOnlySpan<byte> boot)
        => !boot.IsEmpty && (boot.Slice(3).StartsWith("-FVE-FS-"u8) || (boot.Slice(3).StartsWith("MSWIN4.1"u8) && boot.Slice(424).StartsWith(ToGoId)));

    internal static VolumeSignature? Probe(VolumeBytes volume) => IsBootSector(volume.At(0, 512)) ? new VolumeSignature("BitLocker") : null;
}
