using System.Globalization;
using Qcow2.Tests;

namespace Qcow2.Engine.Tests.Formats.Qcow2.Reading;

/// <summary>
/// Images that break the format, a limit of QEMU's, or both, and some that only look as if they did. Where this engine is
/// stricter than qemu-img it is so on purpose: qemu-img reads zeros past the end of a file, so that a cut-off image passes
/// for a sound one.
/// </summary>
public static partial class HostileImageCases
{
    private const int Cluster = 4096;

    private static readonly Lazy<IReadOnlyDictionary<string, HostileImageCase>> ByName = new(
        () => new[] { Headers(), Tables(), Extensions(), Snapshots(), Bitmaps(), Mapping(), ExtendedL2(), References() }
            .SelectMany(cases => cases).ToDictionary(hostile => hostile.Name));

    public static IEnumerable<HostileImageCase> All => ByName.Value.Values;

    /// <summary>Names of all cases, for MemberData.</summary>
    public static TheoryData<string> Names => [.. ByName.Value.Keys];

    public static HostileImageCase Get(string name) => ByName.Value[name];

    /// <summary>Names of the cases that fit a condition, for a test's own MemberData.</summary>
    public static TheoryData<string> Select(Func<HostileImageCase, bool> condition) => [.. All.Where(condition).Select(hostile => hostile.Name)];

    /// <summary>An image that opening must refuse and qemu-img refuses too.</summary>
    private static HostileImageCase Refused(string name, Func<BuiltImage> build, Qcow2ErrorCode code, params string[] fragments)
        => new(name, () => build().Bytes, HostileStage.Open, code, fragments, QemuVerdict.RefusesToOpen);

    /// <summary>An image that opening must refuse although qemu-img opens it.</summary>
    private static HostileImageCase RefusedByUs(string name, Func<BuiltImage> build, Qcow2ErrorCode code, params string[] fragments)
        => Refused(name, build, code, fragments) with { Qemu = QemuVerdict.Accepts };

    /// <summary>An image that opens and reads here and in qemu-img.</summary>
    private static HostileImageCase Accepted(string name, Func<BuiltImage> build)
        => new(name, () => build().Bytes, HostileStage.Never, null, [], QemuVerdict.Accepts);

    /// <summary>An image whose disk is whole, and read here although qemu-img refuses to open it.</summary>
    private static HostileImageCase ReadByUs(string name, Func<BuiltImage> build) => Accepted(name, build) with { Qemu = QemuVerdict.RefusesToOpen };

    /// <summary>An image whose sector at an offset can be read neither here nor by qemu-img.</summary>
    private static HostileImageCase Unreadable(string name, Func<BuiltImage> build, long offset, params string[] fragments)
        => new(name, () => build().Bytes, HostileStage.Read, Qcow2ErrorCode.ImageCorrupt, fragments, QemuVerdict.FailsToRead) { ReadOffset = offset };

    /// <summary>An image whose sector at an offset must not be read although qemu-img reads something.</summary>
    private static HostileImageCase UnreadableByUs(string name, Func<BuiltImage> build, long offset, params string[] fragments)
        => Unreadable(name, build, offset, fragments) with { Qemu = QemuVerdict.Accepts };

    /// <summary>Two data clusters of 4 KiB in a disk of 64 KiB.</summary>
    private static BuiltImage Plain() => new ImageBuilder().Build();

    private static string Text(ulong value) => value.ToString(CultureInfo.InvariantCulture);

    private static string Hex(long value) => "0x" + value.ToString("x", CultureInfo.InvariantCulture);
}
