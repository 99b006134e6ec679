using Qcow2.Engine.Codecs;

namespace Qcow2.Engine.Tests.Codecs;

public sealed class Crc32Tests
{
    /// <summary>The check value that catalogues of CRCs have of this one.</summary>
    [Fact]
    public void The_sum_of_nine_digits_is_the_known_one() => Assert.Equal(0xcbf4_3926u, Crc32.Of("123456789"u8));

    [Fact]
    public void The_field_of_the_sum_counts_as_zeros()
        => Assert.Equal(Crc32.Of([1, 2, 0, 0, 0, 0, 3]), Crc32.OfAllBut([1, 2, 9, 9, 9, 9, 3], 2));
}
