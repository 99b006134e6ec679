using Qcow2.Engine.Storage;

namespace Qcow2.Engine.Tests.Storage;

/// <summary>Tables that are looked at by the page.</summary>
public sealed class TablePagesTests
{
    private const int Page = 64 * 1024;

    /// <summary>Tables inside a page, at its edges, over one edge and over several, and past the end of the file.</summary>
    [Theory]
    [InlineData(0, 2048)]
    [InlineData(512, 2048)]
    [InlineData(Page - 2048, 2048)]
    [InlineData(Page - 512, 2048)]
    [InlineData(Page - 512, (2 * Page) + 1024)]
    [InlineData((3 * Page) - 512, 2048)]
    public void Table_is_empty_only_if_each_byte_of_it_is_zero(int offset, int length)
    {
        const int FileLength = 3 * Page;
        Assert.True(Pages([]).IsZero(offset, length));
        Assert.True(Pages([offset - 1, offset + length]).IsZero(offset, length));
        Assert.All(
            (int[])[offset, offset + 3, (offset | (Page - 1)) + 1, offset + length - 1],
            place => Assert.Equal(place >= Math.Min(FileLength, offset + length), Pages([place]).IsZero(offset, length)));

        static TablePages Pages(int[] places)
        {
            byte[] file = new byte[FileLength];
            foreach (int place in places.Where(place => place is >= 0 and < FileLength))
            {
                file[place] = 1;
            }

            return new TablePages(new MemoryStorage(file));
        }
    }
}
