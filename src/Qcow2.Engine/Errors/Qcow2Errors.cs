namespace Qcow2.Engine;

/// <summary>Builds the errors that more than one place reports, so that each reads the same everywhere.</summary>
internal static class Qcow2Errors
{
    internal static Qcow2Exception Corrupt(string message) => new(Qcow2ErrorCode.ImageCorrupt, message);

    internal static Qcow2Exception Unsupported(string message) => new(Qcow2ErrorCode.UnsupportedFeature, message);

    /// <summary>A field holds a number past a limit.</summary>
    internal static Qcow2Exception Limit(string field, ulong value, ulong limit, string unit = "")
        => new(Qcow2ErrorCode.LimitExceeded, $"{field} is {value}{Unit(unit)}; the limit is {limit}{Unit(unit)}.");

    /// <summary>A field points somewhere that is not a multiple of what it must be.</summary>
    internal static Qcow2Exception Misaligned(string field, ulong value, long alignment)
        => Corrupt($"{field} is 0x{value:x}, which is not a multiple of {alignment} bytes.");

    /// <summary>A structure does not lie wholly inside the file.</summary>
    internal static Qcow2Exception PastEnd(string structure, ulong offset, ulong length, long fileLength)
        => Corrupt($"{structure} at 0x{offset:x}, {length} bytes long, does not fit in the file, which ends at 0x{fileLength:x}.");

    private static string Unit(string unit) => unit.Length == 0 ? "" : " " + unit;
}
