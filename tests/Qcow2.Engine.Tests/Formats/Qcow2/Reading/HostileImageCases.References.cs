using Qcow2.Tests;

namespace Qcow2.Engine.Tests.Formats.Qcow2.Reading;

/// <summary>Images with an external data file, and those that contradict themselves about one.</summary>
public static partial class HostileImageCases
{
    private const ulong DataFileBit = 4;
    private const ulong RawDataBit = 2;

    private static IEnumerable<HostileImageCase> References()
    {
        yield return Refused(
            "data file without a name", () => new ImageBuilder { IncompatibleFeatures = DataFileBit }.Build(), Qcow2ErrorCode.DataFileUnavailable);
        yield return Refused("data file is missing", () => External("no-such-file.raw").Build(), Qcow2ErrorCode.DataFileUnavailable, "no-such-file.raw");
        yield return Refused(
            "raw data file bit without a data file", () => new ImageBuilder { AutoclearFeatures = RawDataBit }.Build(), Qcow2ErrorCode.ImageCorrupt, "data file");
        yield return WithData(RefusedByUs(
            "raw data file and a backing file",
            () => External("data.raw", RawDataBit, backingName: "base.raw").Build(),
            Qcow2ErrorCode.ImageCorrupt, "backing file", "data file"));
        yield return WithData(Unreadable(
            "compressed cluster with a data file",
            () =>
            {
                BuiltImage image = External("data.raw").Build();
                return image.SetU64(image.L2EntryOffset(0), Compressed | 0x5000);
            },
            0));
        yield return WithData(Unreadable(
            "data file offset is not the guest's",
            () =>
            {
                BuiltImage image = External("data.raw").Build();
                return image.SetU64(image.L2EntryOffset(1), Copied | 0x2000);
            },
            4096,
            "0x2000"));
        yield return WithData(Accepted(
            "guest cluster 0 in a data file",
            () =>
            {
                BuiltImage image = External("data.raw").Build();
                return image.SetU64(image.L2EntryOffset(0), Copied);
            })) with
        {
            Sector = ImageBuilder.Content(0, 512),
        };
        yield return WithData(UnreadableByUs(
            "data file is shorter than the disk",
            () =>
            {
                BuiltImage image = External("data.raw").Build();
                return image.SetU64(image.L2EntryOffset(8), Copied | 0x8000);
            },
            0x8000,
            "0x8000"));
    }

    /// <summary>An image whose clusters lie in an external data file; nothing is mapped yet.</summary>
    private static ImageBuilder External(string name, ulong autoclear = 0, string? backingName = null) => new()
    {
        IncompatibleFeatures = DataFileBit,
        AutoclearFeatures = autoclear,
        Extensions = [(ExtensionType.DataFile, System.Text.Encoding.UTF8.GetBytes(name))],
        BackingName = backingName,
        BackingFormat = backingName is null ? null : "raw",
        DataClusters = 0,
    };

    private static HostileImageCase WithData(HostileImageCase hostile) => hostile with
    {
        Files = new Dictionary<string, byte[]>
        {
            ["data.raw"] = ImageBuilder.Content(0, 8 * Cluster),
            ["base.raw"] = ImageBuilder.Content(0, Cluster),
        },
    };
}
