namespace Qcow2.Engine.Formats.Vhd;

/// <summary>What more than one place of this format reports.</summary>
internal static class VhdErrors
{
    internal static Qcow2Exception NotVhd(string message) => new(Qcow2ErrorCode.FormatMismatch, message);

    internal static string WrongChecksum(string structure, uint stored, uint computed)
        => $"{structure} has the check sum 0x{stored:x8}, and its bytes have 0x{computed:x8}: something in it is damaged.";
}
