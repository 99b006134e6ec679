namespace Qcow2.Engine.Formats.Vhd;

/// <summary>The check sum of footer and header: one's complement of the sum of all bytes, the sum's own taken as zero.</summary>
internal static class VhdChecksum
{
    /// <param name="bytes">The structure.</param>
    /// <param name="position">Where in it the check sum lies.</param>
    internal static uint Of(ReadOnlySpan<byte> bytes, int position)
    {
        uint sum = 0;
        for (int i = 0; i < bytes.Length; i++)
        {
            if (i < position || i >= position + sizeof(uint))
            {
                sum += bytes[i];
            }
        }

        return ~sum;
    }
}
